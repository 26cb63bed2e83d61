// Takes the page's main part from the server as it changes, and leaves alone what the
// reader has opened, focused or selected.
"use strict";
(() => {
	const pause = document.getElementById("pause");
	let source;
	let pending = false;

	const opened = () => new Set([...document.querySelectorAll("details[open][id]")].map((d) => d.id));

	function show(html) {
		const next = new DOMParser().parseFromString(html, "text/html").getElementById("main");
		const main = document.getElementById("main");
		if (!next || !main || String(getSelection())) return; // what is being copied stays
		const open = opened();
		next.querySelectorAll("details[id]").forEach((d) => { d.open = open.has(d.id); });
		const focused = document.activeElement && document.activeElement.closest("details[id] > summary");
		const id = focused && focused.parentElement.id;
		const scrolled = new Map([...main.querySelectorAll(".wide")].map((e, i) => [i, e.scrollLeft]));
		for (const part of [...next.children]) {
			const old = document.getElementById(part.id);
			if (!old || old.outerHTML !== part.outerHTML) continue;
			part.replaceWith(old); // the same: keep it, with what it holds
		}
		main.replaceChildren(...next.children);
		[...main.querySelectorAll(".wide")].forEach((e, i) => { e.scrollLeft = scrolled.get(i) || 0; });
		if (id) {
			const again = document.getElementById(id);
			if (again) again.querySelector("summary").focus({ preventScroll: true });
		}
		document.title = main.querySelector(".state").textContent + " · aplomb";
		copyButtons(main);
	}

	function copyButtons(within) {
		within.querySelectorAll("pre[data-copy]").forEach((pre) => {
			if (pre.querySelector("button")) return;
			const text = pre.textContent;
			const button = document.createElement("button");
			button.type = "button";
			button.textContent = "Copy";
			button.addEventListener("click", () => navigator.clipboard.writeText(text).then(() => { button.textContent = "Copied"; }));
			pre.append(button);
		});
	}

	function start() {
		const address = new URL(location.href);
		address.searchParams.set("format", "sse");
		source = new EventSource(address);
		source.onmessage = (event) => {
			if (pending) return;
			pending = true;
			requestAnimationFrame(() => { pending = false; show(event.data); });
		};
	}

	pause.hidden = false;
	pause.addEventListener("click", () => {
		const stop = pause.getAttribute("aria-pressed") !== "true";
		pause.setAttribute("aria-pressed", String(stop));
		pause.textContent = stop ? "Go on" : "Pause";
		if (stop) source.close(); else start();
	});
	copyButtons(document);
	start();
})();
