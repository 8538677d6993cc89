/** How the inspector looks: in the colours of the system, so that it is light or dark as the page says; narrow first. */

export const STYLE = `:host{color-scheme:light dark;display:block;overflow:hidden;background:Canvas;color:CanvasText;border:1px solid #8884;border-radius:9px;font:13px/1.5 system-ui}
[role=tablist],dl div{display:flex}
[role=tabpanel]{height:var(--inspector-height,26rem);overflow:auto;padding:0 12px}
[role=status]{position:absolute;clip-path:inset(50%)}
button{font:inherit;color:inherit;background:#8882;border:1px solid #8884;border-radius:9px;min-height:28px}
:focus-visible{outline-offset:-2px}
[role=tab],[aria-expanded]{background:0;border:0;width:100%}
[role=tab]{min-height:42px;text-transform:capitalize}
[aria-selected=true]{box-shadow:inset 0 -2px}
[aria-expanded]{text-align:start}
[aria-expanded]::before{content:'▸ '}
[aria-expanded=true]::before{content:'▾ '}
ul,dl,dd{margin:0;padding:0}
li{display:block;padding:6px 0;overflow-wrap:anywhere}
li+li{border-top:1px solid #8884}
li li,dl{padding-inline-start:12px}
li>*,button>*{margin-inline-end:8px}
dt{flex:0 0 9em}
small,dt{font-size:12px;opacity:.75}
i,small{display:inline-block}
i{white-space:nowrap;font:12px system-ui;background:#8882;border-radius:9px;padding:0 12px}
.replicated,.delivered,.confirmed,.acknowledged,.open,.current{background:#2955}
.saved,.pending,.unseen,.connecting{background:#c815}
.refused,.waiting,.unreadable,.error,.lost{background:#d445}
pre{padding:8px;background:#8882;font:12px monospace;white-space:pre-wrap}`;
