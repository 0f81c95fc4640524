/*
 * event/tty_keys - bytes from a terminal become keys (inside of event/ only)
 *
 * Shape:     a reader that is fed byte by byte and gives the keys that end with that byte. A key is a number: a
 *            character by its code point, a byte that is no UTF-8, or a key with a name (control keys, arrows, ...).
 *            A sequence may be cut anywhere, by the end of a record too.
 * Limits:    an escape sequence of more than XT_KEY_MAX bytes is given as <esc> and its characters.
 * Source:    ECMA-48 (CSI), xterm's ctlseqs (SS3, 1;5C, 200~), the Linux console's ESC [ [ A.
 */
#pragma once
#include "base/buf.h"

#define XT_KEY_MAX 16

enum {
    XT_KEY_BYTE = 0x110000, /* + byte */
    XT_KEY_CTRL = 0x120000, /* + control character, 0 to 31 */
    XT_KEY_NAMED = 0x120020,
    XT_KEY_BACKSPACE = XT_KEY_NAMED,
    XT_KEY_UP,
    XT_KEY_DOWN,
    XT_KEY_RIGHT,
    XT_KEY_LEFT,
    XT_KEY_HOME,
    XT_KEY_END,
    XT_KEY_DELETE,
    XT_KEY_INSERT,
    XT_KEY_PAGE_UP,
    XT_KEY_PAGE_DOWN,
    XT_KEY_WORD_RIGHT,     /* alt-f, ctrl-right */
    XT_KEY_WORD_LEFT,      /* alt-b, ctrl-left */
    XT_KEY_WORD_DELETE,    /* alt-d */
    XT_KEY_WORD_BACKSPACE, /* alt-backspace */
    XT_KEY_PASTE_BEGIN,
    XT_KEY_PASTE_END,
    XT_KEY_F1, /* and F2 to F12 after it */
    XT_KEY_F12 = XT_KEY_F1 + 11,
};

#define XT_KEY_IS_CTRL(key, letter) ((key) == XT_KEY_CTRL + ((letter)&31))

typedef struct xt_key_reader {
    uint8_t bytes[XT_KEY_MAX]; /* of a sequence that has not ended */
    uint8_t n;
} xt_key_reader;

/* The keys that end with this byte: how many, from 0 to XT_KEY_MAX. */
unsigned xt_key_read(xt_key_reader *reader, uint8_t byte, uint32_t ret[static XT_KEY_MAX]);

/* A character as it is, a key by its name: <ctrl-r>, <up>, <tab>. */
void xt_key_put(xt_buf *out, uint32_t key);
