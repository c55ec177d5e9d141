"""The course's code as lessons: each file is a program, and a notebook of marimo."""
