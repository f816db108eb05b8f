#pragma once
// The page of the console: fetches the dump once a second and draws it.

#include <string_view>

inline constexpr std::string_view console_page = R"html(<!doctype html>
<html lang="en"><meta charset="utf-8"><title>weir console</title>
<style>
 body { font: 14px/1.4 system-ui, sans-serif; margin: 1.5em; color: #222 }
 h1 { font-size: 1.3em } h2 { font-size: 1em; margin: 1.2em 0 .3em }
 table { border-collapse: collapse; width: 100% }
 td, th { text-align: left; padding: .2em .8em .2em 0; border-bottom: 1px solid #ddd; vertical-align: top }
 .deadlock { background: #fde8e8; border-left: 4px solid #c22; padding: .4em .8em; margin: .3em 0 }
 .running { color: #06732a } .waiting { color: #666 } code { font-size: 12px }
 .bar { background: #eee; width: 12em; height: .9em; display: inline-block }
 .bar i { background: #3b7dd8; height: 100%; display: block }
</style>
<h1>weir console <small id="when"></small></h1>
<div id="deadlocks"></div>
<h2>Workers</h2><table id="workers"></table>
<h2>Channels</h2><table id="channels"></table>
<h2>Locks</h2><table id="locks"></table>
<h2>Tasks</h2><table id="tasks"></table>
<script>
const text = s => String(s).replace(/[&<>"]/g, c => `&#${c.charCodeAt(0)};`);
const place = s => s ? `<code>${text(s.file.split('/').pop())}:${s.line}</code>` : '';
const bar = share => `<span class="bar"><i style="width:${Math.round(100 * Math.min(1, share))}%"></i></span>`;
const rows = (id, head, items) => document.getElementById(id).innerHTML =
  `<tr>${head.map(h => `<th>${h}</th>`).join('')}</tr>` +
  items.map(r => `<tr>${r.map(c => `<td>${c}</td>`).join('')}</tr>`).join('');
let before = null, beforeAt = 0;
async function draw() {
  const d = await (await fetch('dump.json')).json(), now = performance.now();
  const names = Object.fromEntries(d.tasks.map(t => [t.id, t.name]));
  const task = id => id === null ? 'another' : text(names[id] || `task ${id}`);
  document.getElementById('when').textContent = `${d.tasks.length} tasks`;
  document.getElementById('deadlocks').innerHTML = d.deadlocks.map(c => '<div class="deadlock"><b>Deadlock</b><br>' +
    c.map(e => `${task(e.task)} waits at ${place(e.site)} for ${task(e.waits_for)}: ${text(e.what)}`).join('<br>') + '</div>').join('');
  rows('workers', ['worker', 'load', 'turns', 'queue', 'steals'], d.metrics.workers.map((w, i) => {
    const old = before && before[i], load = old ? (w.busy_ns - old.busy_ns) / 1e6 / (now - beforeAt) : 0;
    return [i, `${bar(load)} ${Math.round(100 * Math.min(1, load))} %`, w.polls, w.queue, w.steals]; }));
  rows('channels', ['channel', 'fill', 'high-water mark', 'senders (waiting)', 'receivers (waiting)'],
    d.channels.map(c => [`${c.kind} <code>${c.address}</code>`,
      `${c.capacity ? bar(c.size / c.capacity) : ''} ${c.size}${c.capacity ? ' of ' + c.capacity : ''}`,
      c.high_water, `${c.senders} (${c.waiting_senders})`, `${c.receivers} (${c.waiting_receivers})`]));
  rows('locks', ['lock', 'held by', 'waiting'], d.locks.map(l => [`${l.kind} <code>${l.address}</code>`,
    l.holder ? task(l.holder) : l.readers ? `${l.readers} readers` : l.writing ? 'another' : '', l.waiters.map(task).join(', ')]));
  rows('tasks', ['task', 'state', 'turns', 'spawned at', 'waits for'], d.tasks.map(t => [`${t.id} ${text(t.name)}`,
    `<span class="${t.state}">${t.state}${t.state == 'waiting' ? ` ${t.idle_ms} ms` : ''}</span>`, t.resumes || '',
    place(t.spawned_at), t.waits.map(w => '&nbsp;'.repeat(2 * w.depth) + place(w.site) + ' ' + text(w.what)).join('<br>')]));
  before = d.metrics.workers; beforeAt = now;
}
draw(); setInterval(draw, 1000);
</script></html>
)html";
