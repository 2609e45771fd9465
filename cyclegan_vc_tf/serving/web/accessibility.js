() => {
  // Gradio leaves some buttons without a name, and puts controls inside buttons.
  const mend = () => {
    for (const button of document.querySelectorAll("button")) {
      const name = button.getAttribute("aria-label") || "";
      if (name.startsWith("common.")) {
        button.setAttribute("aria-label", name === "common.upload" ? "Upload files" : name.slice(7));
        button.title = button.getAttribute("aria-label");
      } else if (!name && !button.textContent.trim() && !button.title) {
        const label = button.closest(".block")?.querySelector("[data-testid='block-label']");
        button.setAttribute("aria-label", `Picture ${label?.textContent.trim() || ""}`.trim());
      }
    }
    for (const outer of document.querySelectorAll("button:has(button)")) {
      outer.setAttribute("role", "group");
      outer.tabIndex = -1;
    }
    for (const input of document.querySelectorAll("button input[type='file']")) {
      input.tabIndex = -1;
    }
  };
  let waiting = false;
  const later = () => {
    if (!waiting) {
      waiting = true;
      requestAnimationFrame(() => { waiting = false; mend(); });
    }
  };
  new MutationObserver(later).observe(document.body, { childList: true, subtree: true });
  mend();
}
