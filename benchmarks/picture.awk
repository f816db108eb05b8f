# Draws summary.tsv of benchmarks/compare: for each workload a bar from the first peer's figure, at 1,
# to how many times faster weir is, on a logarithmic scale, a dot for each other peer, and a line for the
# goal. Rows without a figure of the first peer are left out.

function log10(x) { return log(x) / log(10) }
function x_of(times) {
    if (times < low) times = low
    if (times > high) times = high
    return left + (log10(times) - log10(low)) / (log10(high) - log10(low)) * width
}
function text(x, y, anchor, what, class) {
    gsub(/&/, "\\&amp;", what); gsub(/</, "\\&lt;", what)
    printf "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\"%s>%s</text>\n", x, y, anchor,
           class == "" ? "" : " class=\"" class "\"", what
}

/^#/ { next }
!columns {
    columns = NF
    for (i = 1; i <= NF; ++i) {
        if ($i == "unit") unit = i
        if ($i == "goal") goal = i
    }
    for (p = 3; p < unit; ++p) peer[p] = $p
    next
}
$3 + 0 > 0 && $2 + 0 > 0 {
    ++rows
    name[rows] = $1
    for (p = 3; p < unit; ++p) times[rows, p] = $p + 0 > 0 ? $3 / $p : 0
    weir[rows] = $3 / $2
    want[rows] = $goal + 0 > 0 ? 1 / $goal : 0
    figure[rows] = sprintf($2 < 100 ? "%.1f" : "%.0f", $2) " " ($unit == "cpu_ns" ? "ns" : $unit)
    if (weir[rows] > high) high = weir[rows]
    if (weir[rows] < low || !low) low = weir[rows]
}
END {
    if (!rows) exit
    left = 190; width = 440; step = 19; top = 50
    low = low < 0.5 ? 0.1 : 0.5
    high = high > 20 ? 100 : 20
    height = top + rows * step + 44
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 760 %d\" font-family=\"sans-serif\" font-size=\"12\">\n", height
    print "<style>.light{fill:#666}.better{fill:#2a7ab0}.worse{fill:#c0504d}.grid{stroke:#ddd}.one{stroke:#333}.goal{stroke:#e08a00;stroke-width:2}.peer{fill:#555}</style>"
    printf "<rect width=\"760\" height=\"%d\" fill=\"#fff\"/>\n", height
    text(10, 18, "start", "Times faster than " peer[3] " (bar), with weir's figure; more is better")
    bottom = top + rows * step
    split("0.1 0.2 0.5 1 2 5 10 20 50 100", marks, " ")
    for (i = 1; i <= 10; ++i) {
        if (marks[i] < low || marks[i] > high) continue
        printf "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\" class=\"%s\"/>\n", x_of(marks[i]),
               x_of(marks[i]), top - 4, bottom, marks[i] == 1 ? "one" : "grid"
        text(x_of(marks[i]), top - 9, "middle", marks[i], "light")
    }
    for (r = 1; r <= rows; ++r) {
        y = top + (r - 1) * step
        from = weir[r] > 1 ? x_of(1) : x_of(weir[r])
        to = weir[r] > 1 ? x_of(weir[r]) : x_of(1)
        text(left - 8, y + 13, "end", name[r])
        printf "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"12\" class=\"%s\"/>\n", from, y + 3,
               to - from, (weir[r] >= 1 ? "better" : "worse")
        if (want[r] > 0)
            printf "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" class=\"goal\"/>\n",
                   x_of(want[r]), x_of(want[r]), y + 1, y + 17
        for (p = 4; p < unit; ++p)
            if (times[r, p] > 0)
                printf "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\" class=\"peer\"/>\n",
                       x_of(times[r, p]), y + 9
        text(750, y + 13, "end", figure[r], "light")
    }
    others = ""
    for (p = 4; p < unit; ++p) others = others (others == "" ? "" : ", ") peer[p]
    text(10, bottom + 20, "start", (others == "" ? "" : "dot: " others "; ") "orange line: the goal", "light")
    text(10, bottom + 36, "start", machine, "light")
    print "</svg>"
}
