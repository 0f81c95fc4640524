/*
 * web/page_files - the files of the page, as they stand in the program
 *
 * Shape:     xt_embedded_page is ui/dist (tools/build_page.py); where that was not built, or the build is without the
 *            page, it has no index.html and xt_embedded_fallback, which says how to build it, stands in.
 */
#pragma once
#include "server/embedded.h"

extern const xt_embedded xt_embedded_page[];
extern const xt_embedded xt_embedded_fallback[];

/* Sent with everything by every HTTP door, lines ended by "\r\n". */
extern const char xt_page_headers[];
