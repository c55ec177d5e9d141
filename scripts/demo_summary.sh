#!/bin/sh
# The end of `make demo`: where things are, and a few predictions.
set -eu
home=${TFCNN_HOME:-.}
echo
echo "Pictures   $home/data/smears/cell_images      (synthetic: drawn by tfcnn, not real cells)"
echo "Run        $home/models/smears"
echo "Report     $home/models/smears/report.html    (open it in a browser)"
echo "Predicted  $home/models/smears/demo.csv"
echo
awk -F, 'NR > 1 && NR <= 6 {n = split($1, part, "/"); printf "  %-48s %-12s %.3f\n", part[n], $2, $3}' \
    "$home/models/smears/demo.csv"
