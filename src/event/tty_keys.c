/*
 * At most one sequence is open: one that began with ESC, or a character of several bytes. A byte that cannot continue
 * it gives out what is there (ESC as a key of its own, bytes as bytes) and is then read as a first byte.
 */
#include "event/tty_keys.h"

#include "base/utf8.h"

#define ESC 0x1b

typedef struct key_out {
    uint32_t *keys;
    unsigned n;
} key_out;

static void put(key_out *out, uint32_t key)
{
    if (out->n < XT_KEY_MAX)
        out->keys[out->n++] = key;
}

static uint32_t key_of_byte(uint8_t byte)
{
    if (byte == 0x7f || byte == 0x08)
        return XT_KEY_BACKSPACE;
    if (byte < 0x20)
        return XT_KEY_CTRL + byte;
    return byte < 0x80 ? byte : XT_KEY_BYTE + byte;
}

/* The sequence is none: its bytes are keys of their own. */
static void give_up(xt_key_reader *reader, key_out *out)
{
    for (unsigned i = 0; i < reader->n; i++)
        put(out, key_of_byte(reader->bytes[i]));
    reader->n = 0;
}

static void read_first(xt_key_reader *reader, uint8_t byte, key_out *out)
{
    if (byte == ESC || (byte >= 0xc2 && byte <= 0xf4))
        reader->bytes[reader->n++] = byte;
    else
        put(out, key_of_byte(byte));
}

static uint32_t code_point(const uint8_t *p, size_t n)
{
    uint32_t c = p[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++)
        c = c << 6 | (p[i] & 0x3f);
    return c;
}

static void read_utf8(xt_key_reader *reader, uint8_t byte, key_out *out)
{
    unsigned wanted = reader->bytes[0] < 0xe0 ? 2 : reader->bytes[0] < 0xf0 ? 3 : 4;
    if ((byte & 0xc0) != 0x80) {
        give_up(reader, out);
        read_first(reader, byte, out);
        return;
    }
    reader->bytes[reader->n++] = byte;
    if (reader->n < wanted)
        return;
    if (xt_utf8_sequence(xt_slice_of(reader->bytes, wanted)) != wanted) {
        give_up(reader, out);
        return;
    }
    reader->n = 0;
    put(out, code_point(reader->bytes, wanted));
}

static uint32_t key_of_letter(uint8_t letter)
{
    switch (letter) {
    case 'A':
        return XT_KEY_UP;
    case 'B':
        return XT_KEY_DOWN;
    case 'C':
        return XT_KEY_RIGHT;
    case 'D':
        return XT_KEY_LEFT;
    case 'F':
        return XT_KEY_END;
    case 'H':
        return XT_KEY_HOME;
    default:
        return letter >= 'P' && letter <= 'S' ? XT_KEY_F1 + letter - 'P' : 0u;
    }
}

static uint32_t key_of_number(unsigned number)
{
    static const uint32_t keys[] = {0,          XT_KEY_HOME,    XT_KEY_INSERT,    XT_KEY_DELETE,
                                    XT_KEY_END, XT_KEY_PAGE_UP, XT_KEY_PAGE_DOWN, XT_KEY_HOME,
                                    XT_KEY_END};
    if (number < XT_COUNT_OF(keys))
        return keys[number];
    if (number >= 11 && number <= 15)
        return XT_KEY_F1 + number - 11;
    if (number >= 17 && number <= 21)
        return XT_KEY_F1 + number - 12;
    if (number == 23 || number == 24)
        return XT_KEY_F1 + number - 13;
    return number == 200 ? XT_KEY_PASTE_BEGIN : number == 201 ? XT_KEY_PASTE_END : 0;
}

/* What stands between ESC [ and the last byte; 0 for what has no name here. */
static uint32_t key_of_csi(xt_slice parameters, uint8_t last)
{
    uint64_t number;
    if (parameters.n == 0)
        return key_of_letter(last);
    if (xt_slice_eq(parameters, XT_S("[")))
        return last >= 'A' && last <= 'E' ? XT_KEY_F1 + last - 'A' : 0u;
    if (last == '~' && xt_slice_parse_u64(parameters, &number) && number < 300)
        return key_of_number((unsigned)number);
    bool is_word = xt_slice_eq(parameters, XT_S("1;5")) || xt_slice_eq(parameters, XT_S("1;3"));
    if (is_word && (last == 'C' || last == 'D'))
        return last == 'C' ? XT_KEY_WORD_RIGHT : XT_KEY_WORD_LEFT;
    return 0;
}

static void end_sequence(xt_key_reader *reader, uint8_t last, uint32_t key, key_out *out)
{
    if (key == 0) {
        reader->bytes[reader->n++] = last;
        give_up(reader, out);
        return;
    }
    reader->n = 0;
    put(out, key);
}

static bool is_final(const xt_key_reader *reader, uint8_t byte)
{
    return byte >= 0x40 && byte < 0x7f && !(byte == '[' && reader->n == 2);
}

static void read_csi(xt_key_reader *reader, uint8_t byte, key_out *out)
{
    if (byte < 0x20 || byte >= 0x7f) {
        give_up(reader, out);
        read_first(reader, byte, out);
    } else if (is_final(reader, byte)) {
        xt_slice parameters = xt_slice_of(reader->bytes + 2, reader->n - 2u);
        end_sequence(reader, byte, key_of_csi(parameters, byte), out);
    } else {
        reader->bytes[reader->n++] = byte;
        if (reader->n == XT_KEY_MAX)
            give_up(reader, out);
    }
}

/* Behind a lone ESC: with alt, or the beginning of a sequence. */
static void read_alt(xt_key_reader *reader, uint8_t byte, key_out *out)
{
    uint32_t key = 0;
    if (byte == '[' || byte == 'O') {
        reader->bytes[reader->n++] = byte;
        return;
    }
    if (byte == 'b' || byte == 'B')
        key = XT_KEY_WORD_LEFT;
    else if (byte == 'f' || byte == 'F')
        key = XT_KEY_WORD_RIGHT;
    else if (byte == 'd' || byte == 'D')
        key = XT_KEY_WORD_DELETE;
    else if (byte == 0x7f || byte == 0x08)
        key = XT_KEY_WORD_BACKSPACE;
    if (key != 0) {
        end_sequence(reader, byte, key, out);
        return;
    }
    give_up(reader, out);
    read_first(reader, byte, out);
}

unsigned xt_key_read(xt_key_reader *reader, uint8_t byte, uint32_t ret[static XT_KEY_MAX])
{
    key_out out = {ret, 0};
    if (reader->n == 0)
        read_first(reader, byte, &out);
    else if (reader->bytes[0] != ESC)
        read_utf8(reader, byte, &out);
    else if (reader->n == 1)
        read_alt(reader, byte, &out);
    else if (reader->bytes[1] == '[')
        read_csi(reader, byte, &out);
    else if (byte < 0x20 || byte >= 0x7f) {
        give_up(reader, &out);
        read_first(reader, byte, &out);
    } else
        end_sequence(reader, byte, key_of_letter(byte), &out);
    return out.n;
}

static void put_code_point(xt_buf *out, uint32_t c)
{
    char text[4];
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n; i-- > 1; c >>= 6)
        text[i] = (char)(0x80 | (c & 0x3f));
    text[0] = (char)(lead[n] | c);
    xt_buf_put(out, xt_slice_of(text, n));
}

static void put_ctrl(xt_buf *out, unsigned character)
{
    if (character == '\t') {
        xt_buf_puts(out, "<tab>");
    } else if (character == ESC) {
        xt_buf_puts(out, "<esc>");
    } else {
        char letter = (char)(character + '@');
        xt_buf_puts(out, "<ctrl-");
        xt_buf_putc(out, letter >= 'A' && letter <= 'Z' ? (char)(letter + 32) : letter);
        xt_buf_putc(out, '>');
    }
}

void xt_key_put(xt_buf *out, uint32_t key)
{
    static const char *const names[] = {
        "<backspace>", "<up>",     "<down>",          "<right>",   "<left>",      "<home>",
        "<end>",       "<delete>", "<insert>",        "<page-up>", "<page-down>", "<alt-f>",
        "<alt-b>",     "<alt-d>",  "<alt-backspace>", "<paste>",   "</paste>",
    };
    if (key < XT_KEY_BYTE)
        put_code_point(out, key);
    else if (key < XT_KEY_CTRL)
        xt_buf_putc(out, (char)(key - XT_KEY_BYTE));
    else if (key < XT_KEY_NAMED)
        put_ctrl(out, key - XT_KEY_CTRL);
    else if (key < XT_KEY_F1)
        xt_buf_puts(out, names[key - XT_KEY_NAMED]);
    else
        xt_buf_printf(out, "<f%u>", key - XT_KEY_F1 + 1);
}
