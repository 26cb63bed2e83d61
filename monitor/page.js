// Brings the page's main part up to date as the server sends it, in place: what the
// reader has opened, focused or scrolled stays so, and what is selected is held. It says
// so when the page is not live.
"use strict";
(() => {
	const patience = 5000; // without a message
	const $ = (id) => document.getElementById(id);
	const pause = $("pause"), notice = $("notice"), said = $("said"), held = $("held");
	let source; // while the page is live, or about to be
	let last = Date.now(); // when the last message came
	let next = 0; // when to try again
	let latest; // a message that is not shown yet
	let asking = false;
	let asked = 0;

	// morph makes a node what another one is.
	function morph(old, want) {
		if (old.nodeType !== Node.ELEMENT_NODE) {
			if (old.data !== want.data) old.data = want.data;
			return;
		}
		const theirs = (name) => name === "open" && old.localName === "details"; // the reader's
		for (const { name } of [...old.attributes]) {
			if (!want.hasAttribute(name) && !theirs(name)) old.removeAttribute(name);
		}
		for (const { name, value } of want.attributes) {
			if (old.getAttribute(name) !== value && !theirs(name)) old.setAttribute(name, value);
		}
		children(old, [...want.childNodes], morph);
	}

	// children has each child be what another one is: the one of that id, or in that place.
	function children(old, wanted, change) {
		const known = new Map([...old.children].filter((e) => e.id).map((e) => [e.id, e]));
		const stays = new Set(wanted.map((e) => e.id));
		let at = old.firstChild;
		for (const want of wanted) {
			while (at && at.id && !stays.has(at.id)) { // so that what follows need not move
				const gone = at;
				at = at.nextSibling;
				gone.remove();
			}
			const have = want.id ? known.get(want.id) : at && !at.id && at.nodeName === want.nodeName ? at : undefined;
			if (!have || have.nodeName !== want.nodeName) {
				old.insertBefore(want, at);
				continue;
			}
			if (have === at) at = at.nextSibling;
			else old.insertBefore(have, at);
			change(have, want);
		}
		while (at) {
			const gone = at;
			at = at.nextSibling;
			gone.remove();
		}
	}

	function show(html) {
		const want = new DOMParser().parseFromString(html, "text/html").getElementById("main");
		const main = $("main");
		if (!want) return;
		copyButtons(want);
		const focused = document.activeElement;
		const selection = getSelection();
		const selected = (part) => !selection.isCollapsed && selection.containsNode(part, true);
		let holds = false;
		children(main, [...want.childNodes], (part, fresh) => {
			if (part.id !== "top" && part.id && selected(part)) holds = true;
			else morph(part, fresh);
		});
		held.hidden = !holds;
		if (focused && focused.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true });
		const state = main.querySelector(".state").textContent;
		document.title = state + " · aplomb";
		const news = state + ": " + main.querySelectorAll("#top .reasons li").length + " reasons"; // read aloud where it changes
		if (said.textContent !== news) said.textContent = news;
	}

	function copyButtons(within) {
		within.querySelectorAll("pre[data-copy]").forEach((pre) => {
			const button = document.createElement("button");
			button.type = "button";
			button.textContent = "Copy";
			pre.append(button);
		});
	}

	// say has the notice say something, or nothing.
	function say(text) {
		if (notice.textContent !== text) notice.textContent = text;
		notice.hidden = text === "";
	}

	const clock = (at) => new Date(at).toISOString().slice(11, 19);
	const paused = () => pause.getAttribute("aria-pressed") === "true";

	function stale(why) {
		if (!paused()) say("Not live since " + clock(last) + " UTC: " + why);
	}

	function address(format) {
		const url = new URL(location.href);
		url.searchParams.set("format", format);
		url.hash = "";
		return url;
	}

	// receive shows the newest of the messages that have come; not by
	// requestAnimationFrame, which rests while the page is behind others, and the title
	// has to be right there.
	function receive(event) {
		last = Date.now();
		say("");
		if (latest === undefined) {
			setTimeout(() => {
				const html = latest;
				latest = undefined;
				if (!paused()) show(html);
			});
		}
		latest = event.data;
	}

	function start() {
		next = Date.now() + patience;
		source = new EventSource(address("sse"));
		source.onmessage = receive;
		source.onerror = () => {
			const refused = source.readyState === EventSource.CLOSED;
			stale("the connection is lost. Trying again.");
			if (refused) {
				stop();
				if (Date.now() - asked > patience) ask();
			}
		};
	}

	function stop() {
		if (source) source.close();
		source = undefined;
	}

	// ask finds out whether the page can be live; where it cannot, it is fetched.
	async function ask() {
		if (asking) return;
		asking = true;
		asked = Date.now();
		next = asked + patience;
		const given = new AbortController();
		const over = setTimeout(() => given.abort(), patience);
		try {
			const live = await fetch(address("sse"), { signal: given.signal });
			if (live.ok) {
				given.abort(); // which gives the place back
				setTimeout(() => { if (!source && !paused()) start(); }, 300);
				return;
			}
			const why = (await live.text()).trim();
			const page = await fetch(address("html"), { signal: given.signal });
			if (!page.ok) throw new Error(why);
			const html = await page.text();
			if (paused()) return;
			last = Date.now();
			show(html);
			say("Not live, as of " + clock(last) + " UTC: " + why + " It is fetched every five seconds.");
		} catch (err) {
			stale(err.name === "Error" ? err.message + " Trying again." : "the server does not answer. Trying again.");
		} finally {
			clearTimeout(over);
			asking = false;
		}
	}

	setInterval(() => {
		if (paused() || Date.now() < next) return;
		if (!source) {
			ask();
		} else if (Date.now() - last > patience) {
			stale("nothing has come. Trying again.");
			stop();
			start();
		}
	}, 1000);

	document.addEventListener("click", (event) => {
		const button = event.target.closest("pre[data-copy] > button");
		if (!button) return;
		navigator.clipboard.writeText(button.parentElement.firstChild.data).then(() => { button.textContent = "Copied"; });
	});
	pause.hidden = false;
	pause.addEventListener("click", () => {
		const stops = !paused();
		pause.setAttribute("aria-pressed", String(stops));
		if (stops) {
			stop();
			say("Paused at " + clock(last) + " UTC.");
		} else {
			say("");
			start();
		}
	});
	copyButtons(document);
	start();
})();
