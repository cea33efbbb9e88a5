"""Plotly figures from runs. Nothing here knows Streamlit; a figure can be drawn again with other options."""
