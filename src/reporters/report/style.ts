/** The style of a report: light, dark, narrow and on paper. Nothing is loaded. */
export const STYLE = `:root{color-scheme:light dark;--bg:#fff;--fg:#1f2328;--muted:#59636e;--line:#d1d9e0;--soft:#f6f8fa;--good:#1a7f37;--bad:#cf222e;--caution:#9a6700;
--stage:#9aa4af;--leave:#d4a72c;--switch:#2f6fde;--verify:#8957e5;--rejoin:#2da44e;--other:#6e7781;--serving:#a9d3b5;--fleet:#e9edf1;--v0:#b6bfc9;--v1:#5b8def;--v2:#e0a24a;--v3:#4cae8a;--v4:#b48ade;--v5:#8c959f}
@media (prefers-color-scheme:dark){:root{--bg:#0d1117;--fg:#e6edf3;--muted:#9198a1;--line:#3d444d;--soft:#161b22;--good:#3fb950;--bad:#ff6a60;--caution:#d29922;
--stage:#5d6873;--leave:#bb8a1e;--switch:#4184e4;--verify:#9a72e8;--rejoin:#36a350;--other:#7d8590;--serving:#2b5f3a;--fleet:#20262d;--v0:#57616c;--v1:#4a7fe0;--v2:#c58a38;--v3:#3f9777;--v4:#9d76c9;--v5:#7d8590}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif}
main{max-width:74rem;margin:0 auto;padding:1.5rem 1rem 3rem}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 .5rem;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:2.25rem 0 .6rem;padding-top:.6rem;border-top:1px solid var(--line)}
h3{font-size:1rem;margin:1.25rem 0 .35rem;overflow-wrap:anywhere}
p{margin:.35rem 0;overflow-wrap:anywhere}
.outcome{font-size:1.05rem}
.badge{display:inline-block;margin-right:.5rem;padding:.05rem .55rem;border:1.5px solid currentColor;border-radius:1rem;font-size:.85rem;font-weight:600}
.good{color:var(--good)}.bad-text{color:var(--bad)}.caution{color:var(--caution)}.muted{color:var(--muted)}
.note{border-left:4px solid var(--caution);background:var(--soft);padding:.6rem .8rem;margin:1rem 0}
.why{border-left:4px solid var(--bad);background:var(--soft);padding:.6rem .8rem;margin:1rem 0}
dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.15rem 1rem;margin:1rem 0}
dt{color:var(--muted)}dd{margin:0;overflow-wrap:anywhere}
pre{margin:.35rem 0;padding:.6rem .8rem;background:var(--soft);border:1px solid var(--line);border-radius:4px;overflow-x:auto;font:12.5px/1.45 ui-monospace,monospace;unicode-bidi:plaintext}
code{font:.92em ui-monospace,monospace;overflow-wrap:anywhere}
.scroll{overflow-x:auto;margin:0 0 1rem}
details td{white-space:nowrap}
summary{cursor:pointer;margin-top:2.25rem;padding-top:.6rem;border-top:1px solid var(--line)}
summary h2{display:inline;margin:0;padding:0;border:0}
details .scroll{margin-top:.8rem}
table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--muted);padding-bottom:.25rem}
th,td{text-align:left;vertical-align:top;padding:.25rem .9rem .25rem 0;border-bottom:1px solid var(--line)}
thead th{color:var(--muted);font-weight:500;white-space:nowrap}
tbody th{font-weight:600;overflow-wrap:anywhere;min-width:2.5rem}
td.nowrap,th.nowrap{white-space:nowrap}
figure{margin:1.5rem 0 0}
figcaption{color:var(--muted);font-size:.85rem;margin-top:.5rem}
.lane{display:grid;grid-template-columns:clamp(6.2rem,24vw,13rem) minmax(0,1fr);column-gap:.6rem;border-bottom:1px solid var(--line)}
.lane.axis{border-bottom:0}
.lane svg{display:block;overflow:visible}
.lane rect{shape-rendering:crispEdges}
.label{min-width:0;font-size:.85rem;line-height:1.25;padding-top:.2rem;overflow:hidden}
.label small{display:block;color:var(--muted);font-size:.78rem}
.label ol{list-style:none;margin:0;padding:0}
.label:has(ol){padding:0}
.names li{display:flex;white-space:nowrap;overflow:hidden}
.names bdi:first-child{flex:0 1 auto;overflow:hidden;text-overflow:ellipsis}
.names bdi+bdi{flex:none}
.rows-24 li{height:24px;line-height:24px}.rows-18 li{height:18px;line-height:18px;font-size:12px}.rows-14 li{height:14px;line-height:14px;font-size:10.5px}
.legend{display:flex;flex-wrap:wrap;gap:.1rem .9rem;list-style:none;margin:.35rem 0 .6rem;padding:0;font-size:.85rem;color:var(--muted)}
.legend li{display:flex;align-items:center;gap:.35rem;overflow-wrap:anywhere}
.legend svg{flex:none}
.tick{fill:var(--muted);font-size:11px;font-variant-numeric:tabular-nums}
.grid{stroke:var(--line);stroke-width:1}
.mark{stroke:var(--bad);stroke-width:1;stroke-dasharray:2 2}
.phase{fill:var(--soft);stroke:var(--line)}.in{fill:var(--fg);font-size:11px}.rest{fill:var(--leave)}
.fleet{fill:var(--fleet)}.serving{fill:var(--serving)}.below,.bad{fill:var(--bad)}
.floor{stroke:var(--fg);stroke-width:1.5;stroke-dasharray:5 3}
.probe{fill:var(--v1)}.fault{fill:var(--bad);fill-opacity:.18}
.v-unknown{fill:var(--fleet)}.v-0{fill:var(--v0)}.v-1{fill:var(--v1)}.v-2{fill:var(--v2)}.v-3{fill:var(--v3)}.v-4{fill:var(--v4)}.v-5{fill:var(--v5)}
.stripe{fill:var(--soft)}
.b-stage{fill:var(--stage)}.b-leave{fill:var(--leave)}.b-switch{fill:var(--switch)}.b-verify{fill:var(--verify)}.b-rejoin{fill:var(--rejoin)}.b-other{fill:var(--other)}
.back{fill-opacity:.45;stroke:var(--fg);stroke-width:1;stroke-dasharray:3 2}
.unfinished{fill-opacity:.45;stroke:var(--bad);stroke-width:1.5}
.failed{stroke:var(--bad);stroke-width:1.5}
.cross{fill:var(--bad);font-size:15px;font-weight:700;paint-order:stroke;stroke:var(--bg);stroke-width:3px}
footer{margin-top:2.5rem;color:var(--muted);font-size:.85rem}
@media (max-width:40rem){main{padding:1rem .75rem 2rem}h1{font-size:1.25rem}dl{column-gap:.7rem}th,td{padding-right:.7rem}}
@media print{:root{color-scheme:light;--bg:#fff;--fg:#000;--muted:#444;--line:#bbb;--soft:#f3f3f3;--good:#1a7f37;--bad:#cf222e;--caution:#7a5200;
--stage:#9aa4af;--leave:#d4a72c;--switch:#2f6fde;--verify:#8957e5;--rejoin:#2da44e;--other:#6e7781;--serving:#a9d3b5;--fleet:#e9edf1;--v0:#b6bfc9;--v1:#5b8def;--v2:#e0a24a;--v3:#4cae8a;--v4:#b48ade;--v5:#8c959f}
body{font-size:10pt}main{max-width:none;padding:0}svg,.note,.why,pre{print-color-adjust:exact;-webkit-print-color-adjust:exact}pre{white-space:pre-wrap;overflow-wrap:anywhere}.scroll{overflow:visible}h2,h3{break-after:avoid}tr,.note,.why{break-inside:avoid}thead{display:table-header-group}details::details-content{content-visibility:visible;block-size:auto}@page{margin:14mm}}
`;
