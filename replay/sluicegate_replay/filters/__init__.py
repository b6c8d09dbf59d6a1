"""mitmproxy's filter expressions on recordings, without mitmproxy: read, matched, made into SQL where that can be."""
