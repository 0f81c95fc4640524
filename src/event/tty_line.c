/*
 * A line is an array of keys with a cursor. Characters are what they are; a key with a name that stands in the line is
 * a place whose content is not known, and no edit reaches across it: the edit is then named at the cursor.
 */
#include "event/tty_line.h"

#include <errno.h>
#include <stdlib.h>

#define LITERAL        0x80000000u /* a control key that ^V or a paste put into the line: a character like others */
#define MIN_CELLS      64
#define FIRST_BUDGET   65536
#define BUDGET_PER_KEY 512
#define MAX_BUDGET     (UINT64_C(1) << 32)

void xt_tty_line_init(xt_tty_line *line, bool edits)
{
    *line = (xt_tty_line){.edits = edits, .budget = FIRST_BUDGET};
}

void xt_tty_line_fini(xt_tty_line *line)
{
    free(line->cells.p);
    free(line->killed.p);
}

void xt_tty_line_reset(xt_tty_line *line)
{
    line->cells.n = line->cursor = 0;
    line->is_truncated = line->is_spent = line->has_killed = line->takes_literally = line->is_after_x = false;
}

size_t xt_tty_line_memory(const xt_tty_line *line)
{
    return (line->cells.cap + line->killed.cap) * sizeof(uint32_t);
}

static bool is_unknown(uint32_t cell)
{
    return !(cell & LITERAL) && cell >= XT_KEY_CTRL;
}

/* Opens a gap of n cells at `at`; the caller has seen to it that the line does not get too long. */
static int open_gap(xt_tty_cells *cells, size_t at, size_t n)
{
    size_t cap = cells->cap ? cells->cap : MIN_CELLS;
    while (cap < cells->n + n)
        cap *= 2;
    if (cap > cells->cap) {
        uint32_t *more = realloc(cells->p, cap * sizeof *more);
        if (!more)
            return xt_error_origin(-ENOMEM);
        cells->p = more;
        cells->cap = cap;
    }
    memmove(cells->p + at + n, cells->p + at, (cells->n - at) * sizeof *cells->p);
    cells->n += n;
    return 0;
}

static void close_gap(xt_tty_cells *cells, size_t from, size_t to)
{
    if (from < to)
        memmove(cells->p + from, cells->p + to, (cells->n - to) * sizeof *cells->p);
    cells->n -= to - from;
}

static int insert(xt_tty_line *line, const uint32_t *keys, size_t n)
{
    size_t room = XT_TTY_LINE_MAX - line->cells.n;
    if (n > room) {
        line->is_truncated = true;
        n = room;
    }
    int r = n > 0 ? open_gap(&line->cells, line->cursor, n) : 0;
    if (r != 0 || n == 0)
        return r;
    memcpy(line->cells.p + line->cursor, keys, n * sizeof *keys);
    line->cursor += n;
    return 0;
}

static int insert_key(xt_tty_line *line, uint32_t key)
{
    return insert(line, &key, 1);
}

/* Pays for an edit; without the means the rest of the line is taken as it comes. */
static bool pay(xt_tty_line *line, size_t n_cells)
{
    if (line->budget < n_cells) {
        line->is_spent = line->is_truncated = true;
        line->cursor = line->cells.n;
        return false;
    }
    line->budget -= n_cells;
    return true;
}

static bool is_blank(uint32_t cell)
{
    return cell == ' ' || cell == (LITERAL | (XT_KEY_CTRL + '\t'));
}

/* Beyond ASCII: what is in blocks of letters; signs, punctuation and pictures are none. */
static bool is_wide_letter(uint32_t c)
{
    if (c < 0xc0)
        return c == 0xaa || c == 0xb5 || c == 0xba;
    if (c == 0xd7 || c == 0xf7 || (c >= 0x2000 && c < 0x2c00) || (c >= 0x3000 && c < 0x3041))
        return false;
    return c < 0x1f000 || (c >= 0x20000 && c < 0x40000);
}

/* What readline's words are made of. */
static bool is_word(uint32_t cell)
{
    if (cell >= 0x80)
        return cell < XT_KEY_BYTE && is_wide_letter(cell);
    return (cell >= '0' && cell <= '9') || ((cell | 32) >= 'a' && (cell | 32) <= 'z');
}

static bool is_no_word(uint32_t cell)
{
    return !is_word(cell);
}

static bool is_no_blank(uint32_t cell)
{
    return !is_blank(cell);
}

typedef bool (*cell_test)(uint32_t cell);

/* Over all cells of the first kind, then of the second. False when an unknown place is met. */
static bool scan_back(const xt_tty_line *line, cell_test first, cell_test second, size_t *ret)
{
    const uint32_t *p = line->cells.p;
    size_t at = line->cursor;
    while (at > 0 && !is_unknown(p[at - 1]) && first(p[at - 1]))
        at--;
    while (at > 0 && !is_unknown(p[at - 1]) && second(p[at - 1]))
        at--;
    *ret = at;
    return at == 0 || !is_unknown(p[at - 1]);
}

static bool scan_forward(const xt_tty_line *line, cell_test first, cell_test second, size_t *ret)
{
    const uint32_t *p = line->cells.p;
    size_t at = line->cursor, n = line->cells.n;
    while (at < n && !is_unknown(p[at]) && first(p[at]))
        at++;
    while (at < n && !is_unknown(p[at]) && second(p[at]))
        at++;
    *ret = at;
    return at == n ? n == 0 || !is_unknown(p[n - 1]) : !is_unknown(p[at]);
}

static size_t distance(size_t a, size_t b)
{
    return a < b ? b - a : a - b;
}

/* Takes [from, to) out of the line; kills that follow each other are one, in the order of the line. */
static int kill_cells(xt_tty_line *line, size_t from, size_t to, bool was_killing)
{
    size_t n = to - from, at = to > line->cursor && was_killing ? line->killed.n : 0;
    if (!was_killing)
        line->killed.n = 0;
    if (line->killed.n + n > XT_TTY_LINE_MAX)
        line->killed.n = at = 0;
    if (n == 0)
        return 0;
    int r = open_gap(&line->killed, at, n);
    if (r != 0)
        return r;
    memcpy(line->killed.p + at, line->cells.p + from, n * sizeof *line->cells.p);
    close_gap(&line->cells, from, to);
    line->cursor = from;
    line->has_killed = true;
    return 0;
}

/* The cell that the cursor would have to cross is known. */
static bool knows_before(const xt_tty_line *line)
{
    return line->cursor == 0 || !is_unknown(line->cells.p[line->cursor - 1]);
}

/* At the end of the line what follows is known to be nothing, unless the line ends with an unknown place. */
static bool knows_after(const xt_tty_line *line)
{
    return line->cursor == line->cells.n ? knows_before(line) : !is_unknown(line->cells.p[line->cursor]);
}

static int erase(xt_tty_line *line, size_t from, uint32_t key)
{
    if (from >= line->cells.n)
        return 0;
    if (!pay(line, line->cells.n - from))
        return insert_key(line, key);
    close_gap(&line->cells, from, from + 1);
    line->cursor = from;
    return 0;
}

static int erase_before(xt_tty_line *line, uint32_t key)
{
    if (!knows_before(line))
        return insert_key(line, key);
    return line->cursor > 0 ? erase(line, line->cursor - 1, key) : 0;
}

static int erase_after(xt_tty_line *line, uint32_t key)
{
    return knows_after(line) ? erase(line, line->cursor, key) : insert_key(line, key);
}

static int move(xt_tty_line *line, bool forward, uint32_t key)
{
    if (!(forward ? knows_after(line) : knows_before(line)))
        return insert_key(line, key);
    if (forward ? line->cursor < line->cells.n : line->cursor > 0)
        line->cursor += forward ? 1 : (size_t)-1;
    return 0;
}

static int move_word(xt_tty_line *line, bool forward, uint32_t key)
{
    size_t to;
    bool is_known = forward ? scan_forward(line, is_no_word, is_word, &to) : scan_back(line, is_no_word, is_word, &to);
    if (!pay(line, distance(line->cursor, to)) || !is_known)
        return insert_key(line, key);
    line->cursor = to;
    return 0;
}

static int kill_to(xt_tty_line *line, size_t to, bool is_known, bool was_killing, uint32_t key)
{
    size_t from = line->cursor;
    if (!pay(line, line->cells.n - (from < to ? from : to) + (was_killing ? line->killed.n : 0)) || !is_known)
        return insert_key(line, key);
    return from < to ? kill_cells(line, from, to, was_killing) : kill_cells(line, to, from, was_killing);
}

static int kill_word(xt_tty_line *line, uint32_t key, bool was_killing)
{
    size_t to;
    bool is_known;
    if (key == XT_KEY_WORD_DELETE)
        is_known = scan_forward(line, is_no_word, is_word, &to);
    else if (key == XT_KEY_WORD_BACKSPACE)
        is_known = scan_back(line, is_no_word, is_word, &to);
    else
        is_known = scan_back(line, is_blank, is_no_blank, &to);
    return to == line->cursor && is_known ? 0 : kill_to(line, to, is_known, was_killing, key);
}

/* ^U takes what is before the cursor whatever it is. */
static int kill_line(xt_tty_line *line, bool forward, uint32_t key, bool was_killing)
{
    size_t to = forward ? line->cells.n : 0;
    if (to == line->cursor && (!forward || knows_after(line)))
        return 0;
    return kill_to(line, to, to != line->cursor, was_killing, key);
}

static int transpose(xt_tty_line *line, uint32_t key)
{
    size_t at = line->cursor;
    if (!knows_before(line) || (at < line->cells.n && !knows_after(line)))
        return insert_key(line, key);
    if (at == 0 || line->cells.n < 2)
        return 0;
    if (at == line->cells.n)
        at--;
    uint32_t *p = line->cells.p;
    if (is_unknown(p[at - 1]))
        return insert_key(line, key);
    uint32_t before = p[at - 1];
    p[at - 1] = p[at];
    p[at] = before;
    line->cursor = at + 1;
    return 0;
}

static int yank(xt_tty_line *line, uint32_t key)
{
    if (line->killed.n == 0 || !pay(line, line->killed.n + line->cells.n - line->cursor))
        return insert_key(line, key);
    return insert(line, line->killed.p, line->killed.n);
}

static int end_with(xt_tty_line *line, uint32_t key)
{
    line->cursor = line->cells.n;
    int r = insert_key(line, key);
    return r != 0 ? r : XT_TTY_LINE_ENDS;
}

static int apply_ctrl(xt_tty_line *line, uint32_t key, bool was_killing)
{
    switch (key - XT_KEY_CTRL + 'a' - 1) {
    case 'a':
        line->cursor = 0;
        return 0;
    case 'b':
        return move(line, false, key);
    case 'd':
        return line->cells.n > 0 ? erase_after(line, key) : end_with(line, key);
    case 'e':
        line->cursor = line->cells.n;
        return 0;
    case 'f':
        return move(line, true, key);
    case 'k':
        return kill_line(line, true, key, was_killing);
    case 'l':
        return 0;
    case 'o':
        return end_with(line, key);
    case 't':
        return transpose(line, key);
    case 'u':
        return kill_line(line, false, key, was_killing);
    case 'v':
        line->takes_literally = true;
        return 0;
    case 'w':
        return kill_word(line, key, was_killing);
    case 'x':
        line->is_after_x = true;
        return insert_key(line, key);
    case 'y':
        return yank(line, key);
    default:
        return insert_key(line, key);
    }
}

static int apply_named(xt_tty_line *line, uint32_t key, bool was_killing)
{
    switch (key) {
    case XT_KEY_BACKSPACE:
        return erase_before(line, key);
    case XT_KEY_DELETE:
        return erase_after(line, key);
    case XT_KEY_LEFT:
    case XT_KEY_RIGHT:
        return move(line, key == XT_KEY_RIGHT, key);
    case XT_KEY_HOME:
    case XT_KEY_END:
        line->cursor = key == XT_KEY_END ? line->cells.n : 0;
        return 0;
    case XT_KEY_WORD_LEFT:
    case XT_KEY_WORD_RIGHT:
        return move_word(line, key == XT_KEY_WORD_RIGHT, key);
    case XT_KEY_WORD_DELETE:
    case XT_KEY_WORD_BACKSPACE:
        return kill_word(line, key, was_killing);
    case XT_KEY_PASTE_BEGIN:
        line->in_paste = true;
        return 0;
    case XT_KEY_PASTE_END:
        return 0;
    default:
        return insert_key(line, key);
    }
}

static bool is_enter(uint32_t key)
{
    return key == XT_KEY_CTRL + '\r' || key == XT_KEY_CTRL + '\n';
}

/*
 * Text as it is. The shell takes a paste as a whole; here each of its lines ends for itself, so that a beginning
 * without an end hides nothing.
 */
static int take_pasted(xt_tty_line *line, uint32_t key)
{
    if (key == XT_KEY_PASTE_END) {
        line->in_paste = false;
        return 0;
    }
    return is_enter(key) ? XT_TTY_LINE_ENDS : insert_key(line, key < XT_KEY_CTRL ? key : key | LITERAL);
}

/* Without the means to move what is behind it, a character goes to the end of the line. */
static int insert_text(xt_tty_line *line, uint32_t key)
{
    bool is_paid = pay(line, line->cells.n - line->cursor);
    (void)is_paid;
    return insert_key(line, key);
}

int xt_tty_line_key(xt_tty_line *line, uint32_t key)
{
    bool was_killing = line->has_killed, is_literal = line->takes_literally, is_second = line->is_after_x;
    line->has_killed = line->takes_literally = line->is_after_x = false;
    if (line->budget < MAX_BUDGET)
        line->budget += BUDGET_PER_KEY;
    if (line->in_paste)
        return take_pasted(line, key);
    if (is_literal)
        return insert_key(line, key < XT_KEY_CTRL ? key : key | LITERAL);
    if (is_enter(key))
        return XT_TTY_LINE_ENDS;
    if (XT_KEY_IS_CTRL(key, 'c'))
        return end_with(line, key);
    if (key < XT_KEY_CTRL)
        return insert_text(line, key);
    if (!line->edits || is_second || line->is_spent)
        return insert_key(line, key);
    return key < XT_KEY_NAMED ? apply_ctrl(line, key, was_killing) : apply_named(line, key, was_killing);
}

bool xt_tty_line_put(const xt_tty_line *line, size_t from, xt_buf *out)
{
    size_t start = out->n;
    for (size_t i = from; i < line->cells.n; i++) {
        size_t before = out->n;
        xt_key_put(out, line->cells.p[i] & ~LITERAL);
        if (out->n - start > XT_TTY_LINE_MAX) {
            out->n = before;
            return false;
        }
    }
    return true;
}
