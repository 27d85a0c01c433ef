/* Makes events of frames: an object comes (new), stays (update) and goes (end). Objects with a track number are followed by it. The others are told apart by what they are and where:
 * a box goes on as the one of the same label that it overlaps most, by at least FOVEA_EVENTS_MIN_IOU of their union, the best pair first. That holds for things that move
 * less than their size between two analysed frames; for others put a tracker in front. One thread at a time. */
#ifndef FOVEA_PLUGINS_EVENTS_H
#define FOVEA_PLUGINS_EVENTS_H

#include "common/json.h"

G_BEGIN_DECLS

#define FOVEA_EVENT_SCHEMA "fovea.event/1"
#define FOVEA_EVENTS_MIN_IOU 0.3f
#define FOVEA_EVENTS_MAX_OBJECTS 1024 /* followed at a time; what comes above that has no events */

typedef enum FoveaEventKind { FOVEA_EVENT_NEW = 0, FOVEA_EVENT_UPDATE, FOVEA_EVENT_END } FoveaEventKind;

typedef struct FoveaEvent {
  FoveaEventKind kind;
  const FoveaRecord *frame;  /* on which it was noticed; its objects do not belong to the event */
  const gchar *object_id;    /* unique for ever */
  const FoveaObject *object; /* as it was seen last */
  GstClockTime first_seen, last_seen; /* ns in the stream */
  gint64 first_utc, last_utc; /* us since 1970; negative: not known */
  gfloat best_confidence;
  guint64 frames; /* on which it was seen */
} FoveaEvent;

typedef struct FoveaEvents FoveaEvents;
typedef void (*FoveaEventFunc)(const FoveaEvent *event, gpointer user);

/* run: the first part of object ids, that no other run has. update_ms: between two updates about an object, 0: none. timeout_ms: without a sight until it has gone. */
FoveaEvents *fovea_events_new(const gchar *run, guint update_ms, guint timeout_ms);
void fovea_events_free(FoveaEvents *events); /* accepts NULL */
/* The next frame. Frames that were not analysed count as no sight, but for objects with a track number. */
void fovea_events_add(FoveaEvents *events, const FoveaRecord *record, FoveaEventFunc emit, gpointer user);
/* The stream has ended: so has every object. */
void fovea_events_finish(FoveaEvents *events, FoveaEventFunc emit, gpointer user);

/* Appends the event as JSON and a newline; configs/schemas/fovea.event-1.json is its schema. id is the message's. */
void fovea_json_append_event(GString *line, const FoveaEvent *event, const gchar *id);

G_END_DECLS
#endif
