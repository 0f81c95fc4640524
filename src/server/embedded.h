/*
 * server/embedded - files that are part of the program
 *
 * Shape:     a table made by tools/embed.py at build time, ended by path == NULL, in the order of the paths.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef struct xt_embedded {
    const char *path; /* below the folder that was embedded, with '/' */
    const uint8_t *bytes;
    size_t n;
    const char *sha256; /* of the bytes, hex */
} xt_embedded;

extern const xt_embedded xt_embedded_rules[];
