/*
 * Numbers become decimal text, lists one value an item. Command line, paths and argument count are made here from what
 * is stored, so that only rules that ask for them pay.
 *
 * The signature has a bit for each pair of neighbouring bytes: a text is looked for only where all of its pairs can be.
 * Most command lines are some tens of bytes, so that nearly every `contains` ends after one or two bits.
 */
#include "detect/sigma_values.h"

#include <errno.h>

#include "event/event.h"

#define SIGNATURE_WORDS     (XT_SIGMA_GRAM_BITS / 64)
#define SIGNATURE_MAX_BYTES 4096 /* above, most bits would be set */

static int set_one(xt_sigma_values *values, xt_slice value)
{
    values->one[values->n++] = value;
    values->all = values->one;
    return 0;
}

static int set_number(xt_sigma_values *values, uint64_t v, bool is_signed, xt_arena *arena)
{
    char *text = xt_arena_alloc(arena, 24);
    xt_buf buf = {.p = text, .cap = 24, .max_bytes = 23};

    if (!text)
        return xt_error_origin(-ENOMEM);
    if (is_signed)
        xt_buf_put_sdec(&buf, (int64_t)v);
    else
        xt_buf_put_dec(&buf, v);
    return set_one(values, xt_buf_slice(&buf));
}

/* A count that the event states, by what its bytes can hold. */
static uint64_t at_most(uint64_t n, size_t n_bytes)
{
    return n < n_bytes ? n : n_bytes;
}

static int set_list(xt_sigma_values *values, xt_slice list, xt_arena *arena)
{
    uint64_t n = at_most(xt_list_count(list), list.n);
    xt_list_iter iter = xt_list_iterate(list);
    xt_slice *items = xt_arena_array(arena, n ? n : 1, sizeof *items);

    if (!items)
        return xt_error_origin(-ENOMEM);
    while (values->n < n && xt_list_next(&iter, &items[values->n]))
        values->n++;
    values->all = items;
    return 0;
}

static int set_joined(xt_sigma_values *values, xt_slice list, xt_arena *arena)
{
    xt_list_iter iter = xt_list_iterate(list);
    xt_slice item;
    char *text = xt_arena_alloc(arena, list.n + 1); /* an item's length takes as much room as the space */
    size_t n = 0;

    if (!text)
        return xt_error_origin(-ENOMEM);
    while (xt_list_next(&iter, &item)) {
        if (item.n)
            memcpy(text + n, item.p, item.n);
        n += item.n;
        text[n++] = ' ';
    }
    return set_one(values, xt_slice_of(text, n ? n - 1 : 0));
}

static int set_paths(xt_sigma_values *values, xt_slice paths, xt_arena *arena)
{
    xt_path_iter iter = xt_paths_iterate(paths);
    uint64_t n = at_most(iter.left, paths.n);
    xt_slice *items = xt_arena_array(arena, n ? n : 1, sizeof *items);
    xt_path path;

    if (!items)
        return xt_error_origin(-ENOMEM);
    while (values->n < n && xt_paths_next(&iter, &path))
        if (path.has_name)
            items[values->n++] = path.name;
    values->all = items;
    return 0;
}

static int set_data(xt_sigma_values *values, xt_slice records, xt_slice name, xt_arena *arena)
{
    xt_slice value, *items;
    unsigned n = 0;

    while (xt_recs_find(records, name, n, &value))
        n++;
    if (n == 0)
        return 0;
    items = xt_arena_array(arena, n, sizeof *items);
    if (!items)
        return xt_error_origin(-ENOMEM);
    while (values->n < n && xt_recs_find(records, name, (unsigned)values->n, &items[values->n]))
        values->n++;
    values->all = items;
    return 0;
}

static int set_id(xt_sigma_values *values, const xt_event *event, xt_arena *arena)
{
    char *text = xt_arena_alloc(arena, 33);

    if (!text)
        return xt_error_origin(-ENOMEM);
    if (!xt_event_has(event, XT_F_TIME) || !xt_event_has(event, XT_F_SERIAL))
        return 0;
    xt_hash128_format(xt_event_id_of(xt_event_bytes(event, XT_F_HOST_ID), (int64_t)xt_event_num(event, XT_F_TIME, 0),
                                     (uint32_t)xt_event_num(event, XT_F_SERIAL, 0)),
                      text);
    return set_one(values, xt_slice_of(text, 32));
}

/* Fields that are made from others and are not there. */
static int derive(xt_field f, const xt_event *event, xt_arena *arena, xt_sigma_values *values)
{
    if (f == XT_F_CMD && xt_event_has(event, XT_F_ARGS))
        return set_joined(values, xt_event_bytes(event, XT_F_ARGS), arena);
    if (f == XT_F_ARGC && xt_event_has(event, XT_F_ARGS))
        return set_number(values, xt_list_count(xt_event_bytes(event, XT_F_ARGS)), false, arena);
    if (f == XT_F_PATH && xt_event_has(event, XT_F_PATHS))
        return set_paths(values, xt_event_bytes(event, XT_F_PATHS), arena);
    return f == XT_F_EVENT_ID ? set_id(values, event, arena) : 0;
}

static int set_field(xt_field f, const xt_event *event, xt_arena *arena, xt_sigma_values *values)
{
    xt_type type = xt_field_find(f)->type;

    if (!xt_event_has(event, f))
        return derive(f, event, arena, values);
    if (type == XT_TIME || type == XT_UINT || type == XT_INT)
        return set_number(values, event->values[f].num, type != XT_UINT, arena);
    if (type == XT_LIST)
        return set_list(values, event->values[f].bytes, arena);
    return set_one(values, event->values[f].bytes);
}

/* The path as it was called (/bin/sh), which names another file than EXE (/usr/bin/dash) where links are followed. */
static bool find_called_path(const xt_event *event, xt_slice *ret)
{
    xt_path_iter iter = xt_paths_iterate(xt_event_bytes(event, XT_F_PATHS));
    xt_path path;

    while (xt_paths_next(&iter, &path))
        if (path.item == 0 && path.has_name) {
            *ret = path.name;
            return true;
        }
    return false;
}

static int set_image(xt_sigma_values *values, const xt_event *event)
{
    xt_slice exe = xt_event_bytes(event, XT_F_EXE), script = xt_event_bytes(event, XT_F_SCRIPT), called;

    if (xt_event_has(event, XT_F_EXE))
        (void)set_one(values, exe);
    if (xt_event_has(event, XT_F_SCRIPT))
        (void)set_one(values, script);
    else if (find_called_path(event, &called) && !xt_slice_eq(called, exe))
        (void)set_one(values, called);
    return 0;
}

/* "SHA256=" and the digest, as Sysmon writes it and rules of others have it. */
static int set_hashes(xt_sigma_values *values, const xt_event *event, xt_arena *arena)
{
    xt_slice name = XT_S("SHA256="), digest = xt_event_bytes(event, XT_F_HASH);
    char *text;

    if (!xt_event_has(event, XT_F_HASH))
        return 0;
    text = xt_arena_alloc(arena, name.n + digest.n);
    if (!text)
        return xt_error_origin(-ENOMEM);
    memcpy(text, name.p, name.n);
    if (digest.n)
        memcpy(text + name.n, digest.p, digest.n);
    return set_one(values, xt_slice_of(text, name.n + digest.n));
}

int xt_sigma_values_fetch(const xt_sigma_field *field, const xt_event *event, xt_arena *arena, xt_sigma_values *ret)
{
    ret->is_fetched = true;
    if (field->source == XT_SIGMA_DATA)
        return set_data(ret, xt_event_bytes(event, XT_F_RECORDS), field->data_name, arena);
    if (field->source == XT_SIGMA_FIELD)
        return set_field(field->field, event, arena, ret);
    if (field->source == XT_SIGMA_HASHES)
        return set_hashes(ret, event, arena);
    return set_image(ret, event);
}

int xt_sigma_values_lower(xt_sigma_values *values, xt_arena *arena)
{
    xt_slice *lower = xt_arena_array(arena, values->n ? values->n : 1, sizeof *lower);

    if (!lower)
        return xt_error_origin(-ENOMEM);
    for (size_t i = 0; i < values->n; i++) {
        xt_slice from = values->all[i];
        char *to = xt_arena_alloc(arena, from.n + 1);
        if (!to)
            return xt_error_origin(-ENOMEM);
        for (size_t k = 0; k < from.n; k++)
            to[k] = xt_sigma_lower(from.p[k]);
        lower[i] = xt_slice_of(to, from.n);
    }
    values->lower = lower;
    values->has_lower = true;
    return 0;
}

int xt_sigma_values_sign(xt_sigma_values *values, xt_arena *arena)
{
    uint64_t *bits;
    size_t n_bytes = 0;

    values->has_signature = true;
    for (size_t i = 0; i < values->n; i++)
        n_bytes += values->lower[i].n;
    if (n_bytes > SIGNATURE_MAX_BYTES)
        return 0;
    bits = xt_arena_array(arena, SIGNATURE_WORDS, sizeof *bits);
    if (!bits)
        return xt_error_origin(-ENOMEM);
    for (size_t i = 0; i < values->n; i++)
        for (size_t k = 1; k < values->lower[i].n; k++) {
            uint16_t gram = xt_sigma_gram((uint8_t)values->lower[i].p[k - 1], (uint8_t)values->lower[i].p[k]);
            bits[gram >> 6] |= UINT64_C(1) << (gram & 63);
        }
    values->signature = bits;
    return 0;
}
