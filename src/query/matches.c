/*
 * A chunk of a dictionary is claimed by the thread that needs it first; who needs it meanwhile does other chunks and
 * then waits. When only a few values of a chunk are asked about they are looked at one by one, and what was found is
 * remembered: so in `host:db-17 and cmd:/x/` the expression sees what ran on that host alone.
 */
#include "query/matches.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define SMALL_DICT 8192 /* values that are matched without much thought */
#define FEW        8    /* one value of so many or fewer: one by one */

enum { CHUNK_UNKNOWN, CHUNK_CLAIMED, CHUNK_DONE };

typedef _Atomic(uint64_t) atomic_word;

/* The answers of one leaf for one source. */
typedef struct match_set {
    _Atomic(uint8_t) *chunks; /* CHUNK_* */
    atomic_word *yes, *known; /* bit a value; known: those that were looked at one by one */
    _Atomic(uint32_t) n_yes, n_done;
} match_set;

typedef struct leaf_count {
    _Atomic(uint64_t) n_chunks_read, n_chunks_skipped, n_values_looked_at, n_values_matched;
} leaf_count;

struct xt_matches {
    unsigned n_leaves;
    size_t n_sets;
    pthread_mutex_t lock; /* with done */
    pthread_cond_t done;  /* a claim */
    bool (*ended)(void *context);
    void *context;
    leaf_count *counts; /* by leaf */
    _Atomic(match_set *) sets[];
};

int xt_matches_new(uint32_t n_sources, unsigned n_leaves, bool (*ended)(void *context), void *context, xt_matches **ret)
{
    size_t n = (size_t)n_sources * n_leaves;
    xt_matches *matches = calloc(1, sizeof *matches + n * sizeof matches->sets[0]);

    leaf_count *counts = calloc(n_leaves + 1, sizeof *counts);

    if (!matches || !counts) {
        free(matches);
        free(counts);
        return xt_error_origin(-ENOMEM);
    }
    matches->counts = counts;
    matches->ended = ended;
    matches->context = context;
    matches->n_leaves = n_leaves;
    matches->n_sets = n;
    pthread_mutex_init(&matches->lock, NULL);
    pthread_cond_init(&matches->done, NULL);
    *ret = matches;
    return 0;
}

xt_matches *xt_matches_free(xt_matches *matches)
{
    if (matches) {
        for (size_t i = 0; i < matches->n_sets; i++)
            free(atomic_load(&matches->sets[i]));
        free(matches->counts);
        pthread_cond_destroy(&matches->done);
        pthread_mutex_destroy(&matches->lock);
        free(matches);
    }
    return NULL;
}

xt_matches_info xt_matches_info_get(const xt_matches *matches, unsigned leaf)
{
    const leaf_count *count = &matches->counts[leaf];

    return (xt_matches_info){atomic_load(&count->n_chunks_read), atomic_load(&count->n_chunks_skipped),
                             atomic_load(&count->n_values_looked_at), atomic_load(&count->n_values_matched)};
}

static leaf_count *count_of(const xt_matches_ask *ask)
{
    return &ask->matches->counts[ask->leaf];
}

static void count_add(_Atomic(uint64_t) *count, uint64_t n)
{
    atomic_fetch_add_explicit(count, n, memory_order_relaxed);
}

static match_set *set_new(const xt_dict *dict)
{
    size_t n_words = (size_t)dict->n / 64 + 1;
    match_set *set = calloc(1, sizeof *set + 2 * n_words * sizeof(atomic_word) + dict->n_chunks);

    if (set) {
        set->yes = (atomic_word *)(set + 1);
        set->known = set->yes + n_words;
        set->chunks = (_Atomic(uint8_t) *)(set->known + n_words);
    }
    return set;
}

/* NULL: no memory. */
static match_set *set_get(const xt_matches_ask *ask, const xt_dict *dict)
{
    xt_matches *matches = ask->matches;
    size_t i = (size_t)xt_scan_reader_zone(ask->reader)->source * matches->n_leaves + ask->leaf;
    match_set *set = atomic_load_explicit(&matches->sets[i], memory_order_acquire);

    if (set)
        return set;
    match_set *new = set_new(dict);
    if (new && !atomic_compare_exchange_strong(&matches->sets[i], &set, new)) {
        free(new);
        return set;
    }
    return new;
}

static bool bit_get(const atomic_word *words, uint32_t i)
{
    return atomic_load_explicit(&words[i / 64], memory_order_relaxed) >> i % 64 & 1;
}

/* Whether it was not set before. */
static bool bit_set(atomic_word *words, uint32_t i)
{
    return !(atomic_fetch_or_explicit(&words[i / 64], UINT64_C(1) << i % 64, memory_order_release) >> i % 64 & 1);
}

/* ------------------------------------------------------------------------------------------------ chunks */

static void note_yes(const xt_matches_ask *ask, match_set *set, uint32_t code)
{
    if (!bit_set(set->yes, code))
        return;
    atomic_fetch_add_explicit(&set->n_yes, 1, memory_order_relaxed);
    count_add(&count_of(ask)->n_values_matched, 1);
}

static int chunk_may_match(const xt_matches_ask *ask, const xt_dict *dict, uint32_t chunk, bool *ret)
{
    bool may = true;

    for (size_t i = 0; i < ask->term->n_pieces && may; i++) {
        int r = xt_dict_may_hold(ask->reader, dict, chunk, ask->term->pieces[i], &may, ask->problem);
        if (r)
            return r;
    }
    *ret = may;
    return 0;
}

static xt_slice longest_piece(const xt_term *term)
{
    xt_slice best = term->pieces[0];

    for (size_t i = 1; i < term->n_pieces; i++)
        if (term->pieces[i].n > best.n)
            best = term->pieces[i];
    return best;
}

static int chunk_match(const xt_matches_ask *ask, match_set *set, const xt_dict *dict, uint32_t chunk)
{
    const xt_slice *entries;
    uint32_t first = dict->firsts[chunk], n = dict->firsts[chunk + 1] - first;
    bool may;

    if (ask->matches->ended && ask->matches->ended(ask->matches->context))
        return XT_MATCHES_E_ENDED;
    int r = chunk_may_match(ask, dict, chunk, &may);
    if (r)
        return r;
    if (!may) {
        count_add(&count_of(ask)->n_chunks_skipped, 1);
        return 0;
    }
    count_add(&count_of(ask)->n_chunks_read, 1);
    if (ask->term->n_pieces)
        r = xt_dict_holds(ask->reader, dict, chunk, longest_piece(ask->term), &may, ask->problem);
    if (r || !may)
        return r;
    r = xt_dict_chunk(ask->reader, dict, chunk, &entries, ask->problem);
    if (r)
        return r;
    for (uint32_t i = 0; i < n; i++)
        if (!bit_get(set->known, first + i) && xt_term_entry(ask->term, entries[i], ask->run))
            note_yes(ask, set, first + i);
    count_add(&count_of(ask)->n_values_looked_at, n);
    return ask->run->no_memory ? xt_error_origin(-ENOMEM) : 0;
}

/* Does the chunk if nobody has it; *ret_busy: somebody else does it right now. */
static int chunk_claim(const xt_matches_ask *ask, match_set *set, const xt_dict *dict, uint32_t chunk, bool *ret_busy)
{
    uint8_t state = CHUNK_UNKNOWN;

    *ret_busy = false;
    if (!atomic_compare_exchange_strong(&set->chunks[chunk], &state, CHUNK_CLAIMED)) {
        *ret_busy = state == CHUNK_CLAIMED;
        return 0;
    }
    int r = chunk_match(ask, set, dict, chunk);
    pthread_mutex_lock(&ask->matches->lock);
    atomic_store(&set->chunks[chunk], r ? CHUNK_UNKNOWN : CHUNK_DONE);
    if (r == 0)
        atomic_fetch_add(&set->n_done, 1);
    pthread_cond_broadcast(&ask->matches->done);
    pthread_mutex_unlock(&ask->matches->lock);
    return r;
}

/* Until the chunk is done: by somebody else, or, when that one failed, by us. */
static int chunk_wait(const xt_matches_ask *ask, match_set *set, const xt_dict *dict, uint32_t chunk)
{
    bool busy = true;
    int r = 0;

    while (busy && r == 0) {
        pthread_mutex_lock(&ask->matches->lock);
        while (atomic_load(&set->chunks[chunk]) == CHUNK_CLAIMED)
            pthread_cond_wait(&ask->matches->done, &ask->matches->lock);
        pthread_mutex_unlock(&ask->matches->lock);
        r = chunk_claim(ask, set, dict, chunk, &busy);
    }
    return r;
}

/* ------------------------------------------------------------------------------------------------ whole */

bool xt_matches_is_cheap(const xt_term *term, const xt_dict *dict)
{
    return dict->n <= SMALL_DICT || term->n_pieces > 0;
}

int xt_matches_count(const xt_matches_ask *ask, const xt_dict *dict, uint32_t *ret)
{
    match_set *set = set_get(ask, dict);
    bool busy;
    int r = 0;

    if (!set)
        return xt_error_origin(-ENOMEM);
    if (xt_term_is_any(ask->term)) {
        *ret = dict->n;
        return 0;
    }
    if (atomic_load(&set->n_done) < dict->n_chunks) {
        for (uint32_t i = 0; i < dict->n_chunks && r == 0; i++)
            r = chunk_claim(ask, set, dict, i, &busy);
        for (uint32_t i = 0; i < dict->n_chunks && r == 0; i++)
            r = atomic_load(&set->chunks[i]) == CHUNK_DONE ? 0 : chunk_wait(ask, set, dict, i);
    }
    *ret = atomic_load(&set->n_yes);
    return r;
}

/* ------------------------------------------------------------------------------------------------ of a part */

static uint32_t code_of(const xt_column *column, uint32_t local)
{
    return column->values ? column->values[local - 1] : local - 1;
}

/* The chunk of a code, which is not before chunk `from`. */
static uint32_t chunk_of(const xt_dict *dict, uint32_t from, uint32_t code)
{
    uint32_t low = from, high = dict->n_chunks;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (dict->firsts[middle] <= code)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static int value_match(const xt_matches_ask *ask, match_set *set, const xt_dict *dict, uint32_t code)
{
    xt_arena_mark mark = xt_arena_mark_get(ask->arena);
    xt_slice entry;

    if (atomic_load_explicit(&set->known[code / 64], memory_order_acquire) >> code % 64 & 1)
        return 0;
    int r = xt_dict_entry(ask->reader, dict, code, ask->arena, &entry, ask->problem);
    if (r)
        return r;
    if (xt_term_entry(ask->term, entry, ask->run))
        note_yes(ask, set, code);
    (void)bit_set(set->known, code);
    count_add(&count_of(ask)->n_values_looked_at, 1);
    xt_arena_mark_reset(ask->arena, mark);
    return ask->run->no_memory ? xt_error_origin(-ENOMEM) : 0;
}

/* Local codes begin .. end - 1 lie in one chunk: makes sure that those wanted are known. */
static int span_match(const xt_matches_ask *ask, match_set *set, const xt_column *column, uint32_t chunk,
                      uint32_t begin, uint32_t end, const uint8_t *wanted)
{
    const xt_dict *dict = column->dict;
    uint32_t n_wanted = end - begin;
    bool busy;
    int r = 0;

    if (atomic_load_explicit(&set->chunks[chunk], memory_order_acquire) == CHUNK_DONE)
        return 0;
    for (uint32_t local = begin; wanted && local < end; local++)
        n_wanted -= !wanted[local];
    if (n_wanted > (dict->firsts[chunk + 1] - dict->firsts[chunk]) / FEW) {
        r = chunk_claim(ask, set, dict, chunk, &busy);
        return r == 0 && busy ? chunk_wait(ask, set, dict, chunk) : r;
    }
    for (uint32_t local = begin; n_wanted && local < end && r == 0; local++)
        if (!wanted || wanted[local])
            r = value_match(ask, set, dict, code_of(column, local));
    return r;
}

int xt_matches_find(const xt_matches_ask *ask, const xt_column *column, const uint8_t *wanted, uint8_t *ret_answers,
                    bool *ret_any)
{
    const xt_dict *dict = column->dict;
    match_set *set = set_get(ask, dict);
    uint32_t chunk = 0;
    uint8_t any = 0;
    int r = 0;

    if (!set)
        return xt_error_origin(-ENOMEM);
    if (xt_term_is_any(ask->term)) {
        memset(ret_answers + 1, 1, column->n_values);
        *ret_any = column->n_values > 0;
        return 0;
    }
    bool all_known = atomic_load(&set->n_done) == dict->n_chunks;
    for (uint32_t begin = 1, end; !all_known && r == 0 && begin <= column->n_values; begin = end) {
        chunk = chunk_of(dict, chunk, code_of(column, begin));
        for (end = begin + 1; end <= column->n_values && code_of(column, end) < dict->firsts[chunk + 1];)
            end++;
        r = span_match(ask, set, column, chunk, begin, end, wanted);
    }
    if (r)
        return r;
    for (uint32_t local = 1; local <= column->n_values; local++)
        any |= ret_answers[local] = bit_get(set->yes, code_of(column, local)) & (!wanted || wanted[local]);
    *ret_any = any;
    return 0;
}
