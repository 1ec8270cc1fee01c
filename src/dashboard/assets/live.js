// Keeps a page live and its ages right. Everything works without it, but for that.
'use strict';

(() => {
  const main = document.getElementById('main');
  const state = document.querySelector('.state');

  const span = (seconds) => {
    if (seconds < 120) return `${seconds} s`;
    if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
    if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
    return `${Math.floor(seconds / 86400)} d`;
  };

  // As shown.rs says it.
  const ago = (seconds) => {
    if (seconds <= -2) return `in ${span(-seconds)}`;
    return seconds < 1 ? 'just now' : `${span(seconds)} ago`;
  };

  const tellAges = () => {
    for (const time of document.querySelectorAll('time[datetime]')) {
      const age = time.nextElementSibling;
      if (!age || !age.classList.contains('age')) continue;
      const text = ago(Math.trunc((Date.now() - Date.parse(time.dateTime)) / 1000));
      if (age.textContent !== text) age.textContent = text;
    }
  };

  const isSame = (old, fresh) =>
    old.nodeType === fresh.nodeType && old.nodeName === fresh.nodeName && (old.id || '') === (fresh.id || '');

  const copyAttributes = (old, fresh) => {
    for (const { name } of [...old.attributes]) {
      // What a person has opened stays open.
      if (!fresh.hasAttribute(name) && name !== 'open') old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
  };

  // Makes the children of one element those of another, and touches nothing that is right already:
  // focus, selection and what is opened stay.
  const become = (old, fresh) => {
    const named = new Map([...old.children].filter((child) => child.id).map((child) => [child.id, child]));
    let at = old.firstChild;
    for (const next of [...fresh.childNodes]) {
      const known = next.id ? named.get(next.id) : undefined;
      if (known && known !== at) {
        old.insertBefore(known, at);
        at = known;
      }
      if (!at || !isSame(at, next)) {
        const added = old.insertBefore(document.importNode(next, true), at);
        if (added.classList && added.nodeName === 'TR') added.classList.add('fresh');
        continue;
      }
      if (at.nodeType === Node.ELEMENT_NODE) {
        if (!at.isEqualNode(next) && !at.classList.contains('age')) {
          copyAttributes(at, next);
          become(at, next);
        }
      } else if (at.nodeValue !== next.nodeValue) {
        at.nodeValue = next.nodeValue;
      }
      at = at.nextSibling;
    }
    while (at) {
      const gone = at;
      at = at.nextSibling;
      gone.remove();
    }
  };

  const keepLive = (url) => {
    const place = document.getElementById('live');
    const source = new EventSource(url);
    source.addEventListener('open', () => { state.textContent = 'Live.'; });
    source.addEventListener('page', (event) => {
      const fresh = new DOMParser().parseFromString(event.data, 'text/html');
      become(place, fresh.body);
      tellAges();
    });
    // Whoever looked may not any more.
    source.addEventListener('over', () => { source.close(); location.reload(); });
    source.addEventListener('error', () => { state.textContent = 'Not live: the facilitator cannot be reached.'; });
    addEventListener('pagehide', () => source.close());
    // A page that is brought back from the browser's memory has lost its stream.
    addEventListener('pageshow', (event) => { if (event.persisted) location.reload(); });
  };

  setInterval(tellAges, 1000);
  tellAges();
  if (main && main.dataset.live && document.getElementById('live')) keepLive(main.dataset.live);
})();
