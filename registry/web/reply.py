"""Answers: JSON, text, indexes, files.  Adapters make no other kind.

    json(value, status=200, headers=None)             small JSON
    text(value, status=200, media_type="text/plain")  small text
    await content(req, content, media_type=..., etag=..., headers=..., filename=...)
        a file: GET, HEAD, Range (one and several), If-Range, 304, 416
    await index(req, view, package, kind=..., media_type=..., render=..., vary=...)
        a rendered index, cached compressed by stamp, with ETag and 304
"""
