/*
 * event/secret_scan - where secrets stand in a text (inside of event/ only)
 *
 * Shape:     a scan collects hits: runs of bytes of a numbered text, each with the rule that found it. Texts are given
 *            as what they are: one argument of a vector, a line as a shell reads it, or arguments joined by a space.
 *            Words may be decoded (quotes, hex digits, keys that erase): a map leads back to the bytes of the text.
 * Errors:    memory is sticky in `hits` (heap, nothing before the first hit). A word that the arena's limit has no room for
 *            is read as it stands: no command can be made so long that nothing is left of it.
 * Limits:    linear in the text; command lines inside of command lines are followed XT_SECRET_MAX_DEPTH deep.
 */
#pragma once
#include "base/arena.h"
#include "event/secret_rules.h"

#define XT_SECRET_MAX_DEPTH  4
#define XT_SECRET_MAX_ACTIVE 24
#define XT_SECRET_MAX_CHAIN  16

typedef struct xt_secret_hit {
    uint32_t text;
    size_t from, to;
    const xt_secret_rule *rule;
} xt_secret_hit;

typedef struct xt_secret_scan {
    const xt_secret_rules *rules;
    xt_arena *arena; /* for decoded words; may be given back to a mark after each text */
    uint32_t text;   /* number of the text being scanned */
    bool joined;     /* it is arguments joined by a space: their bounds are lost */
    unsigned depth;
    const uint32_t *typed, *typed_end; /* the map of a text that was typed with corrections, or NULL */
    bool is_suspected;                 /* something looks like a secret but stays */
    xt_buf hits;                       /* of xt_secret_hit */
} xt_secret_scan;

/* A word: text and where its bytes stand; byte i is at map[i], or at base + i, and takes `unit` bytes there. */
typedef struct xt_secret_word {
    xt_slice text;
    const uint32_t *map;
    size_t base, unit;
    bool in_shell; /* a shell reads it: $NAME is no value */
} xt_secret_word;

/* Room for a decoded word; NULL at the arena's limit, and when memory is out, which ends the scan. */
static inline void *xt_secret_scan_alloc(xt_secret_scan *scan, size_t n_bytes)
{
    void *p = xt_arena_alloc(scan->arena, n_bytes);
    scan->hits.failed |= !p && n_bytes < (scan->arena->max_bytes - scan->arena->used_bytes) / 2;
    return p;
}

static inline xt_secret_word xt_secret_word_part(const xt_secret_word *word, size_t from, size_t n)
{
    xt_secret_word part = *word;
    part.text = xt_slice_of(word->text.p + from, n);
    part.map = word->map ? word->map + from : NULL;
    part.base = word->base + from * word->unit;
    return part;
}

/* A command line under way: words go in one by one. */
typedef struct xt_secret_command {
    const xt_secret_rule *active[XT_SECRET_MAX_ACTIVE]; /* options of the program being read */
    const xt_secret_rule *sub[XT_SECRET_MAX_ACTIVE];    /* options of a subcommand: to the end of the line */
    const xt_secret_rule *armed[XT_SECRET_MAX_ACTIVE];  /* their subcommand is awaited */
    size_t n_active, n_sub, n_armed;
    const xt_secret_rule *pending; /* the next word is its value */
    const xt_secret_rule *counted; /* whose word is awaited, and words without a dash so far */
    uint64_t n_words;
    const xt_secret_rule *reads; /* it takes a secret from its standard input */
    const xt_secret_wrapper *wrapper;
    uint64_t positionals_left;
    xt_slice alias; /* a second name of the first program: what really runs */
    unsigned n_programs;
    bool awaits_program, skips, awaits_script;
} xt_secret_command;

void xt_secret_command_init(xt_secret_command *command, xt_slice alias);
void xt_secret_command_take(xt_secret_scan *scan, xt_secret_command *command, const xt_secret_word *word);
/* The command is complete, and this word is written to its standard input. */
void xt_secret_command_read(xt_secret_scan *scan, const xt_secret_command *command, const xt_secret_word *word);

/* A line or a script as a shell reads it; arguments joined by a space where scan->joined. */
void xt_secret_scan_shell(xt_secret_scan *scan, const xt_secret_word *text);
/* What is a secret wherever it stands: assignments, headers, URIs, tokens. only_blocks: what spans words (PEM). */
void xt_secret_scan_anywhere(xt_secret_scan *scan, const xt_secret_word *word, bool only_blocks);
/*
 * The value [from, to) of the word: entered, or flagged where it is too long or not a plain word. `plain` names bytes
 * that are allowed besides; whole: whatever it holds.
 */
void xt_secret_hit_add(xt_secret_scan *scan, const xt_secret_word *word, size_t from, size_t to,
                       const xt_secret_rule *rule, const char *plain, bool whole);

/* Forms in which command lines come; each is a text of its own. */
void xt_secret_scan_title(xt_secret_scan *scan, xt_slice title); /* NUL between words */
void xt_secret_scan_joined(xt_secret_scan *scan, xt_slice text); /* a space between words */
void xt_secret_scan_line(xt_secret_scan *scan, xt_slice line);   /* as a shell reads it */
void xt_secret_scan_keys(xt_secret_scan *scan, xt_slice keys);   /* typed */
void xt_secret_scan_record(xt_secret_scan *scan, xt_slice line); /* of an audit log */
