/*
 * status_style: the one style sheet, light and dark. Inline style attributes are not allowed: only this text is.
 */
#include "api/status.h"

const struct str status_style = STR_LIT(
    ":root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#1b2430;--dim:#5b6675;--line:#dfe3e8;--ok:#1a7f4b;"
    "--warn:#a35a00;--bad:#c22b2b;--none:#c3c9d1;--mark:#2f6fde}"
    "@media(prefers-color-scheme:dark){:root{--bg:#11151b;--card:#1a2029;--ink:#e4e9f0;--dim:#9aa6b5;--line:#2d3642;"
    "--ok:#4cc38a;--warn:#f0a34a;--bad:#ff7b72;--none:#3d4754;--mark:#78a9ff}}"
    "*{box-sizing:border-box}"
    "body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.45 system-ui,sans-serif}"
    "main{max-width:62rem;margin:0 auto;padding:1rem}"
    "h1{font-size:1.25rem;margin:0}h2{font-size:1rem;margin:0 0 .5rem}p{margin:.35rem 0}"
    "section,header{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:1rem;"
    "margin-bottom:1rem}"
    "header{border-left:.4rem solid var(--none)}header.ok{border-left-color:var(--ok)}"
    "header.warn{border-left-color:var(--warn)}header.bad{border-left-color:var(--bad)}"
    ".state{font-size:1.5rem;font-weight:650;margin:.2rem 0}"
    ".dim,footer{color:var(--dim);font-size:.87rem}"
    ".ok{color:var(--ok)}.warn{color:var(--warn)}.bad{color:var(--bad)}.none{color:var(--dim)}"
    "header h1,header p{color:var(--ink)}"
    "table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}"
    "th,td{text-align:left;padding:.3rem .6rem .3rem 0;border-bottom:1px solid var(--line);vertical-align:top}"
    "th{font-weight:600;color:var(--dim);font-size:.82rem}tr:last-child td{border-bottom:0}"
    ".n{text-align:right;white-space:nowrap}"
    "svg{display:block;width:100%;height:3.2rem}svg.strip{height:1.8rem}"
    "rect.ok{fill:var(--ok)}rect.warn{fill:var(--warn)}rect.bad{fill:var(--bad)}rect.none{fill:var(--none)}"
    "rect.bar{fill:var(--mark)}"
    ".ends{display:flex;justify-content:space-between}"
    ".pair{display:grid;grid-template-columns:1fr 1fr;gap:1rem}"
    "footer{padding:0 .2rem 1rem}"
    "@media(max-width:40rem){main{padding:.6rem}section,header{padding:.75rem}.pair{grid-template-columns:1fr;gap:0}"
    ".wide{display:none}th,td{padding-right:.4rem}}");
