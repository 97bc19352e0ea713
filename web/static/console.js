"use strict";

// Counts are polled by htmx. A hidden tab asks for nothing.
document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden) event.preventDefault();
});

// While polls fail, the page says so; htmx keeps trying.
const stale = document.getElementById("stale");
const failed = () => { stale.hidden = false; };
document.addEventListener("htmx:sendError", failed);
document.addEventListener("htmx:timeout", failed);
document.addEventListener("htmx:beforeOnLoad", (event) => { stale.hidden = event.detail.xhr.status < 400; });
