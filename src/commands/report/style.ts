/** The one style sheet of the page. Colours are named by what they say; each pair of text and ground has a contrast of 4.5 or more, in both schemes. */
export const style = `
:root {
  color-scheme: light dark;
  --ground: #f5f6f8; --card: #ffffff; --line: #dde1e7; --text: #1b2129; --quiet: #56606d; --link: #1f4fb8;
  --bad: #9c1c16; --bad-ground: #fdeceb; --warn: #744700; --warn-ground: #fff2d6; --good: #14603a; --good-ground: #e2f5e9;
  --calm: #1d4f91; --calm-ground: #e7f0fb; --plain: #46505c; --plain-ground: #eceff3;
  --took: #4a7de0; --wait: #e08a1e; --code: #f3f5f8;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --ground: #11151a; --card: #191f27; --line: #2f3843; --text: #e7ebf0; --quiet: #a5b0bd; --link: #8db4ff;
    --bad: #ffb4ab; --bad-ground: #4a1c19; --warn: #ffd180; --warn-ground: #42310c; --good: #8fdcb0; --good-ground: #143829;
    --calm: #a9cbff; --calm-ground: #1b3152; --plain: #c4cdd7; --plain-ground: #2a323c;
    --took: #6f9cff; --wait: #f0a443; --code: #12171d;
  }
}
* { box-sizing: border-box; }
html { font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--ground); color: var(--text); overflow-wrap: anywhere; }
.top, nav, main, footer { max-width: 68rem; margin: 0 auto; padding: 0 1rem; }
.top { padding-top: 2rem; padding-bottom: 1rem; }
h1, h2, h3, h4, p, ul, ol, dl, dd, figure { margin: 0; }
h1 { font-size: 1.75rem; line-height: 1.2; letter-spacing: -0.01em; }
h2 { font-size: 1.25rem; line-height: 1.3; }
h3 { font-size: 1rem; margin: 2rem 0 0.75rem; }
h4 { font-size: 1rem; font-weight: 600; }
a { color: var(--link); }
a:focus-visible, summary:focus-visible, .scroll:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
.brand { font-size: 0.8125rem; font-weight: 600; color: var(--quiet); margin-bottom: 0.25rem; }
.quiet { color: var(--quiet); }
.small { font-size: 0.8125rem; }
.name, code, pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; font-size: 0.875em; unicode-bidi: isolate; }
.number { font-variant-numeric: tabular-nums; white-space: nowrap; }
.text { white-space: pre-line; }
.line { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0.25rem 0.5rem; }
nav ul { list-style: none; padding: 0; display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 18rem), 1fr)); gap: 0.5rem; }
nav li { display: flex; justify-content: space-between; align-items: baseline; gap: 0.5rem; padding: 0.5rem 0.75rem; background: var(--card); border: 1px solid var(--line); border-radius: 0.5rem; }
section { margin: 1rem 0; padding: 1.25rem; background: var(--card); border: 1px solid var(--line); border-radius: 0.75rem; }
section > header { display: flex; flex-wrap: wrap; align-items: center; gap: 0.25rem 0.75rem; margin-bottom: 1rem; }
.badge { display: inline-block; padding: 0.0625rem 0.5rem; border-radius: 1rem; font-size: 0.75rem; font-weight: 600; line-height: 1.5; white-space: nowrap; }
.bad { --mark: var(--bad); } .warn { --mark: var(--warn); } .good { --mark: var(--good); } .calm { --mark: var(--calm); }
.badge.bad, .note.bad { background: var(--bad-ground); } .badge.warn, .note.warn { background: var(--warn-ground); }
.badge.good { background: var(--good-ground); } .badge.calm { background: var(--calm-ground); }
.badge { color: var(--mark, var(--plain)); } .badge.plain { background: var(--plain-ground); }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 8rem), 1fr)); gap: 0.75rem 1.5rem; }
.facts dt { font-size: 0.8125rem; color: var(--quiet); }
.facts dd { font-weight: 500; }
ul.findings, ul.plain, ul.done { list-style: none; padding: 0; }
.findings { display: grid; gap: 0.75rem; }
.note { padding: 0.75rem 1rem; border-left: 3px solid var(--mark); border-radius: 0.25rem 0.5rem 0.5rem 0.25rem; background: var(--code); }
.note.bad .badge, .note.warn .badge { background: var(--card); }
.note .quiet { color: inherit; }
.note .remedy { margin-top: 0.25rem; padding-left: 0.75rem; border-left: 1px solid currentColor; }
.note pre { margin: 0.5rem 0 0; white-space: pre-wrap; }
p.note { margin-top: 0.75rem; }
.pending, .sql ol { padding-left: 1.75rem; }
.pending li { padding: 0.25rem 0; }
.small { display: block; }
.line .small, td .small { display: inline; }
.failed { color: var(--bad); }
.timeline { margin: 0 0 1rem; }
.timeline svg { display: block; width: 100%; height: 4rem; border-bottom: 1px solid var(--line); }
.timeline line { stroke-width: 3px; }
.timeline figcaption { display: flex; justify-content: space-between; gap: 1rem; font-size: 0.8125rem; color: var(--quiet); }
line.took { stroke: var(--took); } line.wait { stroke: var(--wait); } line.stamp { stroke: var(--quiet); }
rect.took { fill: var(--took); } rect.wait { fill: var(--wait); }
.key { white-space: nowrap; margin-left: 0.5rem; }
.key i { display: inline-block; width: 0.75rem; height: 0.5rem; border-radius: 2px; margin-right: 0.25rem; }
i.took { background: var(--took); } i.wait { background: var(--wait); }
table { width: 100%; border-collapse: collapse; font-size: 0.9375rem; }
caption { text-align: left; font-size: 0.8125rem; color: var(--quiet); padding-bottom: 0.5rem; }
th, td { text-align: left; vertical-align: top; padding: 0.5rem 0.75rem 0.5rem 0; border-top: 1px solid var(--line); }
th { font-weight: 500; }
thead th { font-size: 0.8125rem; color: var(--quiet); border-top: 0; white-space: nowrap; }
.run th { font-size: 0.8125rem; color: var(--quiet); padding-top: 1rem; }
.bar { display: block; width: 100%; min-width: 6rem; height: 0.5rem; margin: 0.375rem 0 0.125rem; }
.step { margin-top: 0.75rem; padding: 1rem; border: 1px solid var(--line); border-radius: 0.5rem; display: grid; gap: 0.5rem; min-width: 0; scroll-margin-top: 0.5rem; }
.step > * { min-width: 0; }
.step:target { border-color: var(--link); }
.order { display: inline-block; min-width: 1.5rem; text-align: center; border-radius: 0.375rem; background: var(--plain-ground); color: var(--plain); font-size: 0.8125rem; padding: 0 0.375rem; }
summary { cursor: pointer; font-size: 0.875rem; color: var(--link); }
.sql li { margin-top: 0.5rem; }
.sql li::marker { color: var(--quiet); font-size: 0.8125rem; }
.scroll { overflow-x: auto; background: var(--code); border: 1px solid var(--line); border-radius: 0.375rem; }
.scroll pre { margin: 0; padding: 0.5rem 0.75rem; width: max-content; min-width: 100%; overflow-wrap: normal; tab-size: 4; }
.done { font-size: 0.875rem; }
footer { padding-top: 1rem; padding-bottom: 2rem; font-size: 0.8125rem; color: var(--quiet); }
@media (max-width: 45rem) {
  section { padding: 1rem; }
  .stacked, .stacked caption, .stacked tbody, .stacked tr, .stacked th, .stacked td { display: block; }
  .stacked thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
  .stacked tr { padding: 0.5rem 0; border-top: 1px solid var(--line); }
  .stacked th, .stacked td { border: 0; padding: 0.125rem 0; }
  .stacked td { display: grid; grid-template-columns: 8rem minmax(0, 1fr); gap: 0 0.5rem; }
  .stacked td::before { content: attr(data-title); font-size: 0.8125rem; color: var(--quiet); }
  .stacked td > * { grid-column: 2; justify-self: start; }
  .stacked td.empty { display: none; }
  .stacked .run { padding-top: 1rem; }
  .sql ol { padding-left: 1.25rem; }
}
@media print {
  :root { --ground: #ffffff; }
  html { font-size: 11px; }
  section { border: 0; padding: 0; }
  .scroll pre { width: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
  details::details-content { content-visibility: visible; block-size: auto; }
  .step, .note, tr, figure { break-inside: avoid; }
  h2, h3, h4, caption { break-after: avoid; }
  a { color: inherit; text-decoration: none; }
  footer { display: none; }
}
`;
