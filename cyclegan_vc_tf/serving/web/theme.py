"""Look of the page: system fonts, teal on grey, light and dark."""

from pathlib import Path

import gradio as gr

STYLE_SHEET = Path(__file__).parent / "style.css"

SCRIPT = Path(__file__).parent / "accessibility.js"

FONTS = ["system-ui", "Segoe UI", "Roboto", "Ubuntu", "Cantarell", "Noto Sans", "sans-serif"]
MONOSPACED_FONTS = ["ui-monospace", "Cascadia Mono", "DejaVu Sans Mono", "monospace"]


def make_theme() -> gr.themes.Base:
    """Return the theme; its fonts are the reader's own, so nothing is fetched for them."""
    return gr.themes.Base(
        primary_hue=gr.themes.colors.teal,
        secondary_hue=gr.themes.colors.teal,
        neutral_hue=gr.themes.colors.slate,
        spacing_size=gr.themes.sizes.spacing_md,
        radius_size=gr.themes.sizes.radius_sm,
        text_size=gr.themes.sizes.text_md,
        font=[gr.themes.Font(name) for name in FONTS],
        font_mono=[gr.themes.Font(name) for name in MONOSPACED_FONTS],
    ).set(
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_800",
        button_primary_text_color="white",
        button_primary_text_color_dark="white",
        block_label_text_color="*neutral_700",
        block_label_text_color_dark="*neutral_200",
        block_title_text_color="*neutral_800",
        block_title_text_color_dark="*neutral_100",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        link_text_color="*primary_800",
        link_text_color_dark="*primary_300",
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        input_background_fill="white",
        input_border_color="*neutral_300",
        input_border_width="1px",
        checkbox_label_background_fill="white",
        checkbox_label_border_width="1px",
        checkbox_background_color_selected="*primary_700",
        checkbox_background_color_selected_dark="*primary_600",
        checkbox_border_color_selected="*primary_700",
        button_secondary_background_fill="white",
        button_secondary_border_color="*neutral_300",
        button_border_width="1px",
        button_large_text_size="*text_md",
        button_large_padding="*spacing_md calc(2 * *spacing_lg)",
        block_border_width="1px",
        block_shadow="none",
        slider_color="*primary_700",
        slider_color_dark="*primary_500",
    )
