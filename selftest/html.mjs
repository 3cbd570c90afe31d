// SPDX-License-Identifier: GPL-2.0-only
/*
 * html.mjs PUPPETEER CHROMIUM PAGE BIG-PAGE FOLDER: does the page do what a person does
 * with it?  PAGE is of the run that html.sh makes, BIG-PAGE has 10,000 rows; screenshots go
 * to FOLDER.  TAP on standard output.
 */
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [puppeteerPath, chromium, page, big, folder] = process.argv.slice(2);
const puppeteer = createRequire(puppeteerPath)("puppeteer-core");
let count = 0, failed = 0;

function result(name, wanted, got)
{
	const same = JSON.stringify(wanted) === JSON.stringify(got);

	count++;
	failed += !same;
	if (!same)
		console.log(`# expected ${JSON.stringify(wanted)}, got ${JSON.stringify(got)}`);
	console.log(`${same ? "ok" : "not ok"} ${count} - ${name}`);
}

const browser = await puppeteer.launch({
	executablePath: chromium, headless: true, args: ["--no-sandbox", "--disable-gpu"],
});
const tab = await browser.newPage();
const errors = [], requests = [];

tab.on("console", m => ["error", "warning"].includes(m.type()) && errors.push(m.text()));
tab.on("pageerror", e => errors.push(String(e)));
tab.on("request", r => r.url().startsWith("file:") || r.url().startsWith("data:") ||
	requests.push(r.url()));
tab.on("dialog", async d => { errors.push("dialog " + d.message()); await d.dismiss(); });
await tab.setViewport({ width: 1200, height: 1100 });

const shot = name => tab.screenshot({ path: `${folder}/html-${name}.png` });
const shown = () => tab.$eval("#shown", e => e.textContent);
const visibleRows = () => tab.$$eval(".map tbody tr", rows =>
	rows.filter(r => !r.hidden && r.checkVisibility()).length);
const detail = () => tab.$eval("#detail", e => e.innerText);

await tab.goto(pathToFileURL(page));
await tab.waitForSelector('html[data-ready="yes"]');
result("the title names the run", "daxpin: run", await tab.title());
result("a tab for each kernel", ["old", "new"],
	await tab.$$eval('[role="tab"]', t => t.map(e => e.textContent)));
result("one panel is shown", 1, await tab.$$eval('[role="tabpanel"]', p =>
	p.filter(e => e.checkVisibility()).length));
result("all cells are counted", "9 of 9 cells", await shown());
await shot("light");

/* Filters. */
await tab.type("#search", "dax_x");
result("search by what the kernel said", "2 of 9 cells", await shown());
result("rows without a hit go", 1, await visibleRows());
await tab.$eval("#search", e => { e.value = ""; e.dispatchEvent(new Event("input")); });
await tab.click('#verdicts input[value="pass"]');
result("filter by verdict", "4 of 9 cells", await shown());
await tab.click('#verdicts input[value="pass"]');
await tab.click("#changed");
result("only what changed", "6 of 9 cells", await shown());
await tab.click("#changed");
result("and back", "9 of 9 cells", await shown());

/* Keys: tabs, a cell, its rows. */
await tab.focus('[role="tab"]');
await tab.keyboard.press("ArrowRight");
result("arrows change the tab", "new", await tab.evaluate(() => document.activeElement.textContent));
result("and the panel", "panel-1", await tab.$$eval('[role="tabpanel"]', p =>
	p.find(e => e.checkVisibility()).id));
await tab.focus('#panel-1 .map a[aria-label^="pin on ext4"]');
await tab.keyboard.press("Enter");
await tab.waitForFunction(() => document.getElementById("detail").children.length);
result("a cell opens by the keyboard, with focus on its evidence", "detail-head",
	await tab.evaluate(() => document.activeElement.id));

/* Evidence. */
const text = await detail();

result("the reason", true, text.includes("the reason of new/ext4/pin"));
result("the splat's title", true, text.includes("WARNING in dax_x"));
result("what follows it is marked", true, /follows\s+Oops in dax_y/.test(text));
result("the change", true, text.includes("broken: pass → fail"));
result("how often it fails", true, text.includes("fails always (2 of 2)"));
result("the console's excerpt", true, text.includes("Console"));
result("the command to repeat it", true, text.includes("./run.sh -k src:9.9 -t pin -f ext4"));
result("the failed row is open", ["failed b.two"], await tab.$$eval("details.row[open] summary",
	s => s.map(e => e.innerText.replace(/\s+/g, " "))));
result("expected and seen", true, text.includes("Expected 0 (0) == err (5)"));
await tab.$$eval("details.row", rows => rows.forEach(r => { r.open = true; }));
await tab.waitForSelector("svg.timeline");
result("a timeline, and in words", true, (await tab.$eval("svg.timeline",
	e => e.getAttribute("aria-label"))).includes("collision waits at 2.000 ms"));
result("with the pin and the collision", 2, await tab.$$eval("svg.timeline rect", r => r.length));
result("and a known issue", true, (await detail()).includes("Known issue issue: it is so"));
await shot("evidence");

/* Names as they come. */
result("hostile text is text", true, await tab.$eval("#data", e =>
	e.textContent.includes("\\u003cscript\\u003ealert")));
result("and no element", 0, await tab.$$eval("main script, main b", e => e.length));

/* Who reads otherwise. */
const tree = await tab.accessibility.snapshot();
const names = JSON.stringify(tree);

result("a screen reader hears a cell's name and verdict", true,
	names.includes("pin on ext4: fail"));
result("the score, a line a bug", [
	"wake_up|Who waits is woken|old|detected|pin.a: hang, and 1 more",
	"wake_up|Who waits is woken|new|inapplicable|<script>",
].join(), (await tab.$$eval("#score tbody tr", rows => rows.map(r =>
	[...r.cells].map(c => c.textContent).join("|")))).join());
await tab.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "dark" }]);
result("dark is dark", "rgb(13, 17, 23)", await tab.$eval("body",
	e => getComputedStyle(e).backgroundColor));
await tab.evaluate(() => scrollTo(0, 0));
await shot("dark");
await tab.emulateMediaFeatures([]);
await tab.emulateMediaType("print");
result("paper has all kernels", 2, await tab.$$eval('[role="tabpanel"]', p =>
	p.filter(e => e.checkVisibility()).length));
result("and no filters", false, await tab.$eval(".filters", e => e.checkVisibility()));
await tab.screenshot({ path: `${folder}/html-print.png`, fullPage: true });
await tab.emulateMediaType(null);

/* Colours alone tell nothing, and can be told apart: WCAG AA, in both schemes. */
function contrast(node)
{
	const luminance = c => {
		const [r, g, b] = c.match(/[\d.]+/g).slice(0, 3).map(v => {
			v /= 255;
			return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
		});
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const style = getComputedStyle(node);
	const [a, b] = [luminance(style.color), luminance(style.backgroundColor)].sort();

	return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

for (const scheme of ["light", "dark"]) {
	await tab.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
	const least = Math.min(...await tab.$$eval(".map a, .counts li", (nodes, f) =>
		nodes.map(eval(`(${f})`)), contrast.toString()).catch(() => [0]));

	result(`contrast in ${scheme}`, true, least >= 4.5);
}

/* Many rows. */
const before = performance.now();

await tab.goto(pathToFileURL(big));
await tab.waitForSelector('html[data-ready="yes"]');
const ms = performance.now() - before;

console.log(`# 10000 rows open in ${Math.round(ms)} ms`);
result("10000 rows open in a second", true, ms <= 1000);
result("nothing on the console", [], errors);
result("nothing from elsewhere", [], requests);
await browser.close();
console.log(`1..${count}`);
process.exit(failed ? 1 : 0);
