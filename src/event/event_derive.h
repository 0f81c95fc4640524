/*
 * event/event_derive - what xt_event_derive would fill in, for those who write it at once (inside of event/ only)
 */
#pragma once
#include "event/event.h"

/* The VIRTUAL and DERIVED fields that follow from those the event has; of these some may be there already. */
xt_field_set xt_event_derivable(const xt_event *event);
/* event.id by the event's own host, time and serial. */
xt_hash128 xt_event_own_id(const xt_event *event);
/* process.entity_id of an event for which xt_event_is_own_entity holds. */
void xt_event_own_entity(const xt_event *event, char ret[static XT_EVENT_ENTITY_LEN]);
