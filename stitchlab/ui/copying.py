"""Draws 'Copy link', a button that copies the whole address of the current view.

The address already holds bound widgets and choices. It lacks the run if a page shows one that nobody chose; the button
adds it. A browser offers no clipboard to a page that is served neither from this machine nor by https; then the address
appears in a text field.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

_HTML = """<button type="button"><span aria-hidden="true"></span><span class="label">Copy link</span></button>
<input type="text" readonly hidden aria-label="The link to this view">
<span class="said" role="status"></span>"""

_CSS = """
:host { display: block; }
button { font: inherit; font-size: .875rem; color: inherit; width: 100%; min-height: 2.5rem;
  padding: .25rem .75rem; cursor: pointer; background: transparent;
  border: 1px solid var(--st-border-color, currentColor); border-radius: var(--st-button-radius, .5rem); }
button:hover { border-color: var(--st-primary-color); color: var(--st-primary-color); }
button:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 1px; }
input { font: inherit; width: 100%; box-sizing: border-box; margin-top: .25rem; padding: .25rem .5rem;
  color: inherit; background: var(--st-secondary-background-color); border: 1px solid var(--st-border-color); }
.said { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
"""

_SCRIPT = """
export default function ({data, parentElement}) {
    const [button, field] = ['button', 'input'].map(name => parentElement.querySelector(name));
    const label = parentElement.querySelector('.label'), status = parentElement.querySelector('.said');
    function address() {
        const link = new URL(window.location.href);
        const present = new Set(link.searchParams.keys());
        for (const [key, value] of data.query) if (!present.has(key)) link.searchParams.append(key, value);
        return link.href;
    }
    button.onclick = async () => {
        const url = address();
        try {
            await navigator.clipboard.writeText(url);
            status.textContent = 'The link is copied.';
            label.textContent = 'Copied';
            setTimeout(() => { label.textContent = 'Copy link'; status.textContent = ''; }, 2000);
        } catch {
            field.value = url;
            field.hidden = false;
            field.focus();
            field.select();
        }
    };
    return () => { button.onclick = null; };
}
"""

_button = st.components.v2.component("stitchlab_copy_link", html=_HTML, css=_CSS, js=_SCRIPT)


def copy_link(query: Sequence[tuple[str, str]], key: str = "copy-link") -> None:
    """Draw the button; ``query`` holds the query parameters that its link adds if the address lacks them."""
    _button(key=key, data={"query": [list(pair) for pair in query]})
