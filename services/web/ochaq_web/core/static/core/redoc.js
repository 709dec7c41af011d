// Starts Redoc without its fonts and logo from elsewhere.
window.Redoc.init("/openapi.json", { hideDownloadButton: false, disableSearch: false, nativeScrollbars: true }, document.getElementById("redoc"));
