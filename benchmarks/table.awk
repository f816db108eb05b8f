# Turns goals.tsv and the results of benchmarks/compare into the table of medians and ratios.
# A row's figure is the median over the rounds' medians.

function median(list, values, count, i, j, held) {
    count = split(list, values, " ")
    for (i = 2; i <= count; ++i) {
        held = values[i] + 0
        for (j = i - 1; j > 0 && values[j] + 0 > held; --j) values[j + 1] = values[j]
        values[j + 1] = held
    }
    if (count % 2) return values[(count + 1) / 2] + 0
    return (values[count / 2] + values[count / 2 + 1]) / 2
}

# "tokio-1.24.2+boxed" is the program tokio-1.24.2 and its variant +boxed; no variant is "-".
function variant(name) { return match(name, /\+/) ? substr(name, RSTART) : "-" }
function program(name) { return match(name, /\+/) ? substr(name, 1, RSTART - 1) : name }

function figure(workload, position, tag, key) {
    key = workload SUBSEP position SUBSEP tag
    return (key in medians) ? median(medians[key]) : ""
}

function shown(value) { return value == "" ? "-" : sprintf(value < 100 ? "%.2f" : "%.0f", value) }

function add_row(workload, weir_tag, peer_tag, share, least, row) {
    row = ++rows
    row_workload[row] = workload
    row_weir[row] = weir_tag
    row_peer[row] = peer_tag
    row_share[row] = share
    row_least[row] = least
    has_row[workload, weir_tag] = 1
}

function verdict(row, ratio, text) {
    if (ratio == "") return ""
    if (row_least[row] != "-" && 1 / ratio < row_least[row]) {
        slow = slow sprintf("  %s: %.2f times as fast, must be %s\n", label[row], 1 / ratio,
                            row_least[row])
        text = "TOO SLOW"
    }
    if (row_share[row] != "-" && ratio > row_share[row] + 0) {
        missed = missed sprintf("  %s: %.2f of the peer, goal %s\n", label[row], ratio,
                                row_share[row])
        if (text == "") text = "misses goal"
    }
    if (text == "" && row_share[row] == "-" && row_least[row] == "-" && ratio > 1) text = "slower"
    return text == "" ? "ok" : text
}

FILENAME ~ /goals\.tsv$/ {
    if ($0 !~ /^#/) add_row($1, $2, $3, $4, $5)
    next
}

{
    ran[$3] = 1
    tag = variant($4)
    names[$2] = program($4)
    key = $3 SUBSEP $2 SUBSEP tag
    medians[key] = medians[key] " " $6
    unit[$3, tag] = $8
    if ($2 == 0 && !(($3, tag) in has_row)) add_row($3, tag, tag, "-", "-")
}

END {
    width = 1
    for (r = 1; r <= rows; ++r) {
        label[r] = row_workload[r]
        if (row_weir[r] != "-") label[r] = label[r] row_weir[r]
        else if (row_peer[r] != "-") label[r] = label[r] " (" row_peer[r] ")"
        if ((row_workload[r] in ran) && length(label[r]) > width) width = length(label[r])
    }
    line = sprintf("%-" width "s %9s", "workload", "weir")
    head = "workload\tweir"
    for (p = 1; p <= peers; ++p) {
        line = line sprintf(" %13s", names[p])
        head = head "\t" names[p]
    }
    print line "   unit  ratio  times  goal  least"
    print head "\tunit\tratio\ttimes\tgoal\tleast\tverdict" > summary
    for (r = 1; r <= rows; ++r) {
        if (!(row_workload[r] in ran)) continue
        own = figure(row_workload[r], 0, row_weir[r])
        if (own == "") continue
        line = sprintf("%-" width "s %9s", label[r], shown(own))
        tsv = label[r] "\t" own
        best = ""
        for (p = 1; p <= peers; ++p) {
            theirs = figure(row_workload[r], p, row_peer[r])
            if (p == 1) ratio = theirs > 0 && own > 0 ? own / theirs : ""
            if (theirs != "" && (best == "" || theirs < best)) { best = theirs; winner = names[p] }
            line = line sprintf(" %13s", shown(theirs))
            tsv = tsv "\t" (theirs == "" ? "-" : theirs)
        }
        times = ratio == "" ? "-" : sprintf("%.2f", 1 / ratio)
        share = ratio == "" ? "-" : sprintf("%.2f", ratio)
        said = verdict(r, ratio)
        u = unit[row_workload[r], row_weir[r]]
        if (best != "" && own > best)
            lost = lost sprintf("  %s: %s, %s %s %s\n", label[r], shown(own), winner, shown(best), u)
        held = row_share[r] "\t" row_least[r]
        printf "%s %6s %6s %6s %5s %6s  %s\n", line, u, share, times, row_share[r], row_least[r],
               said
        print tsv "\t" u "\t" share "\t" times "\t" held "\t" said > summary
    }
    if (slow != "") printf "\ntoo slow:\n%s", slow
    if (missed != "") printf "\nbehind the goal:\n%s", missed
    printf "\n%s", lost == "" ? "behind a peer of this run: no row\n" : "behind a peer of this run:\n" lost
    exit strict && slow != ""
}
