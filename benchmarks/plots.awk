# Draws growth.tsv (series, x, ns, operation): a small plot of each series, x on a logarithmic scale and
# ns on a linear one from 0, three plots in a row.

function log10(x) { return log(x) / log(10) }
function short(x) {
    if (x >= 1000000) return x / 1000000 "M"
    return x >= 1000 && x % 1000 == 0 ? x / 1000 "k" : x ""
}
function text(x, y, anchor, what) {
    printf "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", x, y, anchor, what
}

/^#/ { next }
!($1 in count) { names[++series] = $1; unit[$1] = $4 }
{
    k = ++count[$1]
    at[$1, k] = $2
    ns[$1, k] = $3
    if ($3 > most[$1]) most[$1] = $3
}
END {
    wide = 250; tall = 150; across = 3; inner_w = 190; inner_h = 80; left = 42; top = 34
    rows = int((series + across - 1) / across)
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"10\">\n", wide * across, tall * rows + 20
    print "<style>.line{fill:none;stroke:#2a7ab0;stroke-width:2}.grid{stroke:#ddd}.dot{fill:#2a7ab0}</style>"
    printf "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n", wide * across, tall * rows + 20
    for (s = 1; s <= series; ++s) {
        name = names[s]
        x0 = (s - 1) % across * wide + left
        y0 = int((s - 1) / across) * tall + top
        n = count[name]
        first = log10(at[name, 1])
        span = n > 1 ? log10(at[name, n]) - first : 1
        scale = 10 ^ int(log10(most[name]) + 100 - 100)  # one digit, rounded up
        while (scale > most[name]) scale /= 10
        high = scale * int(most[name] / scale + 1)
        text(x0, y0 - 14, "start", name ": ns per " unit[name])
        for (i = 0; i <= 2; ++i) {
            y = y0 + inner_h - i / 2 * inner_h
            printf "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" class=\"grid\"/>\n", x0, x0 + inner_w, y, y
            text(x0 - 4, y + 3, "end", high * i / 2)
        }
        line = ""
        for (k = 1; k <= n; ++k) {
            x = x0 + (log10(at[name, k]) - first) / span * inner_w
            y = y0 + inner_h - ns[name, k] / high * inner_h
            line = line sprintf("%.1f,%.1f ", x, y)
            printf "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\" class=\"dot\"/>\n", x, y
            text(x, y0 + inner_h + 13, "middle", short(at[name, k]))
        }
        printf "<polyline points=\"%s\" class=\"line\"/>\n", line
    }
    text(10, tall * rows + 12, "start", machine)
    print "</svg>"
}
