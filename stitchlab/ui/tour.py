"""Draws the tour of Home, three cards: what StitchLab shows, how its heatmaps are read, where to go from here.

Once a visitor closes it, it stays closed: the browser remembers that, not the store. A click on a link asks Streamlit
to switch the page, since loading the page would begin a new session; the link's address serves visitors who open it in
another tab.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

CARDS = (
    (
        "What StitchLab shows",
        "A stitched network is the first half of one network, an affine map, and the second half "
        "of another. StitchLab finds the map in two ways, and shows whether its activations are like those that the "
        "second network makes itself.",
    ),
    (
        "How to read the two heatmaps",
        "A row is a layer of the front network, a column a layer of the end network, and the "
        "number in a cell is the accuracy of that stitched network. On the left the map is trained for the task, on "
        "the right it is fitted to the activations.",
    ),
    ("Where to go from here", ""),
)
LINKS: dict[str, tuple[str, dict[str, str]]] = {  # by page: text and query parameters of its link
    "pages/6_Learn.py": ("Learn it in seven steps", {}),
    "pages/3_Checks.py": ("See which measures can be trusted", {}),
    "pages/5_Networks.py": ("Use your own networks", {"part": "Import"}),
}

_HTML = """<button type="button" class="show" hidden>Show the tour</button>
<section aria-label="Tour" hidden><div class="cards"></div>
<button type="button" class="close">Close for ever</button></section>"""

_CSS = """
:host { display: block; }
[hidden] { display: none !important; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 12.5rem), 1fr)); gap: .75rem; }
.card { border: 1px solid var(--st-border-color); border-radius: .5rem; padding: .6rem .8rem; font-size: .875rem;
  line-height: 1.35; color: var(--st-text-color); background: var(--st-secondary-background-color); }
h2 { font-size: .95rem; font-weight: 600; margin: 0 0 .25rem; }
p, ul { margin: 0; padding: 0; list-style: none; }
a { color: var(--st-link-color); line-height: 1.7; }
button { font: inherit; font-size: .875rem; color: inherit; background: none; border: 0; padding: .25rem 0;
  cursor: pointer; text-decoration: underline; display: block; }
.close { margin-left: auto; }
a:focus-visible, button:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 1px; }
"""

_SCRIPT = """
const KEY = 'stitchlab-tour', CLOSED = 'closed';
let open = null;  // whether the tour is open; kept until the page is loaded again

function remembered() {
    try { return localStorage.getItem(KEY) === CLOSED; } catch { return false; }  // a browser may forbid it
}

function remember() {
    try { localStorage.setItem(KEY, CLOSED); } catch { /* then it stays closed until the page is loaded again */ }
}

function make(name, properties, ...inside) {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...inside);
    return element;
}

export default function ({data, parentElement, setTriggerValue}) {
    const [show, tour, cards, close] = ['.show', 'section', '.cards', '.close'].map(
        selector => parentElement.querySelector(selector));
    open ??= !remembered();
    const update = () => { tour.hidden = !open; show.hidden = open; };
    const link = ({label, address, page}) => make('li', {}, make('a', {href: address, onclick: event => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        setTriggerValue('page', page);
    }}, label));
    cards.replaceChildren(...data.cards.map(([title, text]) => make('div', {className: 'card'},
        make('h2', {}, title), text ? make('p', {}, text) : make('ul', {}, ...data.links.map(link)))));
    show.onclick = () => { open = true; update(); close.focus(); };
    close.onclick = () => { open = false; remember(); update(); show.focus(); };
    update();
}
"""

_component = st.components.v2.component("stitchlab_tour", html=_HTML, css=_CSS, js=_SCRIPT)


def draw(pages: Sequence[str]) -> None:
    """Draw the tour, or, after it was closed, the button that shows it again; link only to these pages."""
    linked_pages = [page for page in LINKS if page in pages]
    links = [{"label": LINKS[page][0], "page": page, "address": _address(page)} for page in linked_pages]
    chosen = _component(key="tour", data={"cards": CARDS, "links": links}, on_page_change=lambda: None).page
    if chosen in linked_pages:
        st.switch_page(chosen, query_params=LINKS[chosen][1])


def _address(page: str) -> str:
    name = page.rpartition("_")[2].removesuffix(".py")
    return name + "".join(f"?{key}={value}" for key, value in LINKS[page][1].items())
