"""Draws Plotly figures from runs, without Streamlit, so that a figure can be drawn again with other options."""
