"""Draw Plotly figures from runs, and write sentences about them; nothing here knows Streamlit."""
