/*
 * server/note - events that the server itself makes: what was done to the fleet, and by whom
 *
 * Shape:     a note becomes a batch of one event in a stream of its own, by the same writer as all others: it is in the ledger, can
 *            be searched, is matched by rules, and cannot be taken out again. xt_note_enter waits until it is durable;
 *            xt_notes_add keeps it until the maintenance thread enters it.
 * Errors:    <0 errno; XT_NOTE_E_REFUSED: the store will never take it.
 * Threads:   any.
 * Limits:    XT_NOTES_MAX wait; more are left out and counted in the next one.
 */
#pragma once
#include "base/buf.h"
#include "server/app.h"

#define XT_NOTES_MAX 1024

enum {
    XT_NOTE_E_REFUSED = 1,
};

typedef struct xt_note {
    xt_slice host_name, host_id; /* whom it is about; host_id empty: as an import of that name */
    xt_slice type;               /* event.type, a list as in an event; empty: change */
    xt_slice action, user;       /* user: may be empty */
    xt_slice of;                 /* id of another event, may be empty */
    xt_slice message;
} xt_note;

XT_MUST_USE int xt_note_enter(xt_app *app, const xt_note *note);

typedef struct xt_notes xt_notes;
XT_MUST_USE int xt_notes_new(xt_notes **ret);
xt_notes *xt_notes_free(xt_notes *notes);
/* Copies it. */
void xt_notes_add(xt_notes *notes, const xt_note *note);
/* Enters what waits; what fails stays for the next time. */
XT_MUST_USE int xt_notes_enter(xt_notes *notes, xt_app *app);
