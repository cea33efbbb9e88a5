"""The picture in the browser's tab: a grid of four cells, of which one corner lies. Drawn here, asked of nobody."""

#: As text, which Streamlit puts into the page itself; an icon by name would be fetched from a host of Google's.
FAVICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
    '<rect x="1" y="1" width="14" height="14" rx="2" fill="#35b779"/>'
    '<rect x="17" y="1" width="14" height="14" rx="2" fill="#31688e"/>'
    '<rect x="1" y="17" width="14" height="14" rx="2" fill="#fde725"/>'
    '<rect x="17" y="17" width="14" height="14" rx="2" fill="#440154"/>'
    "</svg>"
)
