// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page of a report: tabs, filters, and the evidence of a cell.
 *
 * The map is in the page already and readable without this.  All that comes from a run
 * gets into the page as text, by textContent and setAttribute.
 */
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const VERDICT_OF_STATE = { ok: "pass", failed: "fail", skip: "skip", known: "known", lost: "lost" };
const SVG = "http://www.w3.org/2000/svg";

function make(name, attributes, ...children)
{
	const node = document.createElement(name);

	for (const [key, value] of Object.entries(attributes || {}))
		node.setAttribute(key, value);
	for (const child of children)
		if (child !== null && child !== undefined)
			node.append(child);
	return node;
}

function svg(name, attributes, text)
{
	const node = document.createElementNS(SVG, name);

	for (const [key, value] of Object.entries(attributes))
		node.setAttribute(key, value);
	if (text !== undefined)
		node.textContent = text;
	return node;
}

function seconds(ms)
{
	return (ms / 1000).toFixed(1) + " s";
}

/*
 * Tabs, one a kernel
 */

const tabs = [...document.querySelectorAll('[role="tab"]')];

function selectTab(tab, focus)
{
	for (const t of tabs) {
		const on = t === tab;

		t.setAttribute("aria-selected", on);
		t.tabIndex = on ? 0 : -1;
		document.getElementById(t.getAttribute("aria-controls")).hidden = !on;
	}
	if (focus)
		tab.focus();
}

function tabKey(event)
{
	const at = tabs.indexOf(event.currentTarget);
	const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];

	if (to === undefined)
		return;
	event.preventDefault();
	selectTab(tabs[(to + tabs.length) % tabs.length], true);
}

for (const tab of tabs) {
	tab.addEventListener("click", () => selectTab(tab, false));
	tab.addEventListener("keydown", tabKey);
}

/*
 * Filters
 */

const search = document.getElementById("search");
const boxes = [...document.querySelectorAll("#verdicts input")];
const changed = document.getElementById("changed");
const shown = document.getElementById("shown");
const links = [...document.querySelectorAll(".map a")];
const changedCells = new Set((data.diff ? data.diff.items : []).map(d => d.cell));

/* What is searched, made once. */
for (const cell of data.cells)
	cell.words = [cell.path, cell.reason, ...cell.rows.map(r => r.name + " " + r.text),
		      ...cell.splats.map(s => s.title)].join("\n").toLowerCase();

function isShown(cell, text, verdicts)
{
	return verdicts.has(cell.verdict) && (!text || cell.words.includes(text)) &&
	       (!changed || !changed.checked || changedCells.has(cell.path));
}

function filter()
{
	const text = search.value.trim().toLowerCase();
	const verdicts = new Set(boxes.filter(b => b.checked).map(b => b.value));
	let n = 0;

	for (const link of links) {
		const on = isShown(data.cells[link.dataset.cell], text, verdicts);

		link.classList.toggle("dim", !on);
		n += on;
	}
	for (const row of document.querySelectorAll(".map tbody tr"))
		row.hidden = !row.querySelector("a:not(.dim)");
	shown.textContent = n + " of " + links.length + " cells";
}

for (const input of [search, changed, ...boxes])
	if (input)
		input.addEventListener("input", filter);

/*
 * The evidence of a cell
 */

const detail = document.getElementById("detail");

const EVENT_TEXT = {
	pin: "pin taken", start: "collision starts", waits: "collision waits",
	done: "collision returned", busy: "collision neither", release: "pin released",
	returns: "collision returns", hangs: "collision still waits",
};

function bar(at, from, to, y, kind, label)
{
	const group = svg("g", {});
	const x = at(from), width = Math.max(at(to) - x, 2);

	group.append(svg("rect", { x, y, width, height: 14, rx: 3, class: kind }),
		     svg("text", { x: 0, y: y + 11 }, label));
	return group;
}

/* Who holds the pages, and how long the collision waits for it. */
function timeline(events)
{
	const first = events[0].ns, last = events[events.length - 1].ns;
	const at = ns => 130 + (ns - first) / Math.max(last - first, 1) * 640;
	const when = Object.fromEntries(events.map(e => [e.event, e.ns]));
	const label = events.map(e => (EVENT_TEXT[e.event] || e.event) + " at " +
				      ((e.ns - first) / 1e6).toFixed(3) + " ms").join(", ");
	const picture = svg("svg", { viewBox: "0 0 800 66", class: "timeline", role: "img",
				     "aria-label": "Timeline: " + label });

	picture.append(svg("line", { x1: 130, x2: 770, y1: 58, y2: 58, class: "axis" }));
	if (when.pin !== undefined)
		picture.append(bar(at, when.pin, when.release ?? last, 6, "held", "pin held"));
	if (when.start !== undefined)
		picture.append(bar(at, when.start, when.done ?? when.returns ?? last, 30, "waits",
				   "collision"));
	for (const e of events)
		picture.append(svg("line", { x1: at(e.ns), x2: at(e.ns), y1: 2, y2: 62, class: "mark" }));
	return picture;
}

function eventTable(events)
{
	const body = make("tbody");
	const first = events[0].ns;

	for (const e of events)
		body.append(make("tr", {}, make("td", {}, ((e.ns - first) / 1e6).toFixed(3) + " ms"),
				 make("td", {}, EVENT_TEXT[e.event] || e.event)));
	return make("table", { class: "list" }, body);
}

function knownIssue(name)
{
	const known = data.known[name];

	if (!known)
		return null;
	return make("p", {}, "Known issue ", make("code", {}, name), ": " + known.reason,
		    make("br"), make("span", { class: "soft" },
				     "kernels " + known.kernel + "; " + known.reference));
}

function quote(word)
{
	return /^[A-Za-z0-9_.:/=+-]+$/.test(word) ? word : "'" + word.replaceAll("'", "'\\''") + "'";
}

function repeatCommand(cell, row)
{
	const words = ["./run.sh", "-k", cell.arg, "-t", cell.scenario];

	if (!cell.control)
		words.push("-f", cell.fs);
	if (row)
		words.push("-r", row.name);
	return words.map(quote).join(" ");
}

function fillRow(cell, row, into)
{
	if (row.text && row.state !== "known")
		into.append(make("p", {}, row.text));
	if (row.state === "known")
		into.append(knownIssue(row.text) || make("p", {}, row.text));
	if (row.events.length > 1)
		into.append(make("h4", {}, "Timeline"), timeline(row.events), eventTable(row.events));
	if (row.said.length)
		into.append(make("h4", {}, "Expected and seen"),
			    make("pre", { tabindex: 0 }, row.said.join("\n")));
	into.append(make("h4", {}, "To repeat it"), make("pre", {}, repeatCommand(cell, row)));
}

function rowNode(cell, row)
{
	const verdict = VERDICT_OF_STATE[row.state];
	const node = make("details", { class: "row" },
			  make("summary", {}, make("span", { class: "verdict " + verdict }, row.state),
			       " ", make("code", {}, row.name)));

	node.addEventListener("toggle", () => {
		if (!node.open || node.children.length > 1)
			return;
		const into = make("div");

		fillRow(cell, row, into);
		node.append(into);
	});
	return node;
}

function splatTable(splats)
{
	const body = make("tbody");

	for (const s of splats)
		body.append(make("tr", {}, make("td", {}, s.state.replace("splat-", "") +
						(s.follow ? ", follows" : "")),
				 make("td", {}, s.title),
				 make("td", {}, make("code", {}, s.signature))));
	return make("table", { class: "list" }, body);
}

function changesOf(path)
{
	const list = make("ul");

	for (const d of data.diff ? data.diff.items : [])
		if (d.cell === path)
			list.append(make("li", {}, d.change + (d.what ? " " + d.what : "") + ": " +
					 d.before + " → " + d.after));
	return list.children.length ? list : null;
}

function cellHead(cell)
{
	const parts = [make("h2", { tabindex: -1, id: "detail-head" },
			    make("span", { class: "verdict " + cell.verdict }, cell.verdict), " ",
			    make("code", {}, cell.path)),
		       make("p", {}, cell.reason)];

	if (cell.promise)
		parts.push(make("p", { class: "soft" }, cell.promise));
	parts.push(make("p", { class: "soft" }, [cell.machine ? "machine " + cell.machine : "",
		   cell.version ? "kernel " + cell.version : "", cell.ms ? seconds(cell.ms) : "",
		   cell.stability].filter(s => s).join(", ")));
	return parts;
}

function showCell(index, focus)
{
	const cell = data.cells[index];
	const bad = r => r.state !== "ok" && r.state !== "skip";
	const rows = [...cell.rows.filter(bad), ...cell.rows.filter(r => !bad(r))];
	const changes = changesOf(cell.path);

	for (const link of links)
		link.setAttribute("aria-current", link.dataset.cell === String(index));
	detail.replaceChildren(...cellHead(cell));
	if (changes)
		detail.append(make("h3", {}, "Compared with " + data.diff.from), changes);
	if (cell.splats.length)
		detail.append(make("h3", {}, "What the kernel said"), splatTable(cell.splats));
	if (cell.excerpt)
		detail.append(make("h3", {}, cell.symbols ? "Console, with symbols" : "Console and judge"),
			      make("pre", { tabindex: 0 }, cell.excerpt));
	detail.append(make("h3", {}, cell.rows.length + " rows"), ...rows.map(r => rowNode(cell, r)),
		      make("h3", {}, "To repeat it"),
		      make("pre", {}, repeatCommand(cell, null) + (cell.folder ? "\n# or by hand\ncd " +
			   cell.folder + "\nxargs -d '\\n' -a qemu-args qemu-system-x86_64" : "")));
	const first = detail.querySelector("details.row");

	if (first && bad(rows[0]))
		first.open = true;
	if (focus)
		document.getElementById("detail-head").focus();
}

function followHash(focus)
{
	const index = /^#cell-(\d+)$/.exec(location.hash);

	if (!index || !data.cells[index[1]])
		return;
	const tab = tabs.find(t => t.dataset.kernel === data.cells[index[1]].kernel);

	if (tab)
		selectTab(tab, false);
	showCell(Number(index[1]), focus);
}

window.addEventListener("hashchange", () => followHash(true));
document.getElementById("script").hidden = false;
if (tabs.length)
	selectTab(tabs[0], false);
filter();
followHash(false);
document.documentElement.dataset.ready = "yes";
