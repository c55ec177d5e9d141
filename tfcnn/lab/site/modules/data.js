// What the page was written with, from Python.

export const data = JSON.parse(document.getElementById("data").textContent);
