// The dashboard's script: parts of the page that renew themselves, keys, the theme, and how long ago a time is.
"use strict";
(() => {
  const away = document.getElementById("away");
  const said = document.getElementById("said");
  const root = document.documentElement;
  const home = document.body.dataset.home;

  // Times: the server writes them in UTC, so that an unchanged part stays unchanged.
  const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const words = new Intl.RelativeTimeFormat("en", { numeric: "always", style: "short" });
  const tellTimes = () => {
    for (const time of document.querySelectorAll("time[datetime]")) {
      const seconds = Math.round((Date.parse(time.dateTime) - Date.now()) / 1000);
      const [unit, size] = units.find(([, size]) => Math.abs(seconds) >= size) ?? units[3];
      let ago = time.nextElementSibling;
      if (!ago?.classList.contains("ago")) {
        ago = document.createElement("span");
        ago.className = "ago muted";
        time.after(" ", ago);
      }
      const text = `(${words.format(Math.trunc(seconds / size), unit)})`;
      if (ago.textContent !== text) ago.textContent = text;
    }
  };

  // Parts of the page: asked for again and again, replaced when they differ.
  const complain = (text, link) => {
    if (away.dataset.text === text) return;
    away.dataset.text = text;
    away.textContent = text;
    if (link) {
      const anchor = document.createElement("a");
      anchor.href = link;
      anchor.textContent = "Sign in again.";
      away.append(" ", anchor);
    }
    away.hidden = !text;
  };
  const faults = new Map();
  const tellFaults = () => {
    const [fault] = faults.values();
    complain(fault?.text ?? "", fault?.link);
  };
  const signIn = () => {
    const prefix = home.slice(0, home.lastIndexOf("/ui"));
    const here = location.pathname.slice(prefix.length) + location.search;
    return `${document.body.dataset.signIn}?next=${encodeURIComponent(here)}`;
  };
  const announced = (part) => part.querySelector("[data-announce]")?.textContent.trim();

  const replace = (part, html) => {
    const open = new Set([...part.querySelectorAll("details[id][open]")].map((one) => one.id));
    const shut = new Set([...part.querySelectorAll("details[id]:not([open])")].map((one) => one.id));
    const focused = part.contains(document.activeElement) ? document.activeElement : null;
    const place = focused && [focused.id, focused.getAttribute("href"), focused.textContent];
    const scrolled = [...part.querySelectorAll(".table, .json")].map((one) => [one.scrollLeft, one.scrollTop]);
    const before = announced(part);
    part.innerHTML = html;
    for (const one of part.querySelectorAll("details[id]")) {
      if (open.has(one.id)) one.open = true;
      if (shut.has(one.id)) one.open = false;
    }
    part.querySelectorAll(".table, .json").forEach((one, at) => { if (scrolled[at]) one.scrollTo(...scrolled[at]); });
    if (place) {
      const [id, href, text] = place;
      const same = id ? document.getElementById(id)
        : [...part.querySelectorAll("a, button, summary, [tabindex]")]
          .find((one) => one.getAttribute("href") === href && one.textContent === text);
      same?.focus({ preventScroll: true });
    }
    const now = announced(part);
    if (now && now !== before) said.textContent = now;
  };
  // What somebody types or is asked to confirm is not taken away.
  const isBusy = (part) => part.querySelector("details.confirm[open]") || (part.contains(document.activeElement)
    && document.activeElement.matches("input:not([type=hidden]), select, textarea"));

  const renew = async (part) => {
    const headers = { "X-Ferryman-Fragment": "1" };
    if (part.dataset.etag) headers["If-None-Match"] = part.dataset.etag;
    let fault = null;
    try {
      const signal = AbortSignal.timeout(20000);
      const answer = await fetch(part.dataset.fragment, { headers, signal, cache: "no-store", redirect: "error" });
      if (answer.ok) {
        const html = await answer.text();
        if (isBusy(part)) return true;
        part.dataset.etag = answer.headers.get("ETag") ?? "";
        replace(part, html);
        part.dispatchEvent(new CustomEvent("renewed", { bubbles: true }));
        tellTimes();
      } else if (answer.status !== 304) {
        fault = { text: await answer.text(), link: answer.status === 401 ? signIn() : "", ends: [401, 403, 404].includes(answer.status) };
      }
    } catch {
      fault = { text: "Ferryman cannot be reached. The page goes on as soon as it can.", link: "" };
    }
    part.classList.toggle("stale", fault !== null);
    if (fault) faults.set(part, fault); else faults.delete(part);
    tellFaults();
    return !fault?.ends;
  };

  const timers = new Map();
  const follow = (part) => {
    clearTimeout(timers.get(part));
    const seconds = Number(part.dataset.every) || 2;
    timers.set(part, setTimeout(async () => {
      if (!part.isConnected || document.hidden) return;
      if (await renew(part)) follow(part);
    }, seconds * 1000 * (faults.has(part) ? 3 : 1)));
  };
  const parts = () => [...document.querySelectorAll("[data-fragment]")];
  const renewAll = async () => { for (const part of parts()) if (await renew(part)) follow(part); };
  document.addEventListener("visibilitychange", () => { if (!document.hidden) renewAll(); });
  // A hidden tab asks for nothing; each part is asked for again as soon as the tab is seen.
  parts().forEach(follow);
  tellTimes();
  setInterval(() => { if (!document.hidden) tellTimes(); }, 1000);

  // The theme is a cookie, so that the server already writes the next page in it.
  const turnTheme = () => {
    const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = isDark ? "light" : "dark";
    const path = home.replace(/\/$/, "");
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `ferryman_theme=${root.dataset.theme}; Path=${path}; Max-Age=31536000; SameSite=Strict${secure}`;
  };
  const keys = document.getElementById("keys");
  const turnHelp = () => (keys?.open ? keys.close() : keys?.showModal());
  for (const [name, act] of [["themeToggle", turnTheme], ["helpToggle", turnHelp]]) {
    const button = document.querySelector(`[data-${name.replace(/[A-Z]/, (one) => `-${one.toLowerCase()}`)}]`);
    if (button) { button.hidden = false; button.addEventListener("click", act); }
  }

  // Keys: g and a letter go to a screen, j and k from row to row.
  const move = (step) => {
    const links = [...document.querySelectorAll("[data-row]")].map((row) => row.querySelector("a, button")).filter(Boolean);
    const at = links.findIndex((link) => link.closest("[data-row]").contains(document.activeElement));
    const next = links[at < 0 ? (step > 0 ? 0 : links.length - 1) : at + step];
    next?.focus();
    next?.scrollIntoView({ block: "nearest" });
  };
  const acts = {
    "/": () => document.querySelector("[data-search]")?.focus(),
    "?": turnHelp,
    j: () => move(1),
    k: () => move(-1),
    r: () => (parts().length ? renewAll() : location.reload()),
    t: turnTheme,
  };
  let goes = false;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target.matches("input, select, textarea, [contenteditable]")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (keys?.open && event.key !== "?") return;
    if (goes) {
      goes = false;
      document.querySelector(`[data-go="${CSS.escape(event.key)}"]`)?.click();
      return;
    }
    if (event.key === "g") {
      goes = true;
      setTimeout(() => { goes = false; }, 1500);
    } else if (Object.hasOwn(acts, event.key)) {
      event.preventDefault();
      acts[event.key]();
    }
  });
})();
