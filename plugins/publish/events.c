#include "events.h"

#include <stdlib.h>

typedef struct Followed {
  gchar *id;
  FoveaObject object; /* label of static storage, as metas give it */
  GstClockTime first_seen, last_seen, told;
  gint64 first_utc, last_utc;
  gfloat best_confidence;
  guint64 frames;
  gboolean taken; /* by an object of the frame at hand */
} Followed;

typedef struct Pair {
  gfloat overlap;
  guint followed, object;
} Pair;

struct FoveaEvents {
  gchar run[17];
  GstClockTime update, timeout;
  guint64 count;
  GPtrArray *all; /* Followed */
  GArray *pairs;
  GByteArray *taken; /* by object of the frame: whether it goes on as a followed one */
  FoveaRecord last;  /* the last frame, for what is told without one */
  gchar *last_source;
};

static void followed_free(gpointer data) {
  Followed *followed = data;
  g_free(followed->id);
  g_free(followed);
}

FoveaEvents *fovea_events_new(const gchar *run, guint update_ms, guint timeout_ms) {
  FoveaEvents *events = g_new0(FoveaEvents, 1);
  g_strlcpy(events->run, run, sizeof events->run);
  events->update = update_ms * GST_MSECOND;
  events->timeout = timeout_ms * GST_MSECOND;
  events->all = g_ptr_array_new_with_free_func(followed_free);
  events->pairs = g_array_new(FALSE, FALSE, sizeof(Pair));
  events->taken = g_byte_array_new();
  events->last = (FoveaRecord){.timestamp = GST_CLOCK_TIME_NONE, .utc = -1, .latency_ms = -1};
  return events;
}

void fovea_events_free(FoveaEvents *events) {
  if (!events)
    return;
  g_ptr_array_unref(events->all);
  g_array_unref(events->pairs);
  g_byte_array_unref(events->taken);
  g_free(events->last_source);
  g_free(events);
}

static void tell(const Followed *followed, FoveaEventKind kind, const FoveaRecord *frame, FoveaEventFunc emit, gpointer user) {
  const FoveaEvent event = {.kind = kind, .frame = frame, .object_id = followed->id, .object = &followed->object, .first_seen = followed->first_seen,
                            .last_seen = followed->last_seen, .first_utc = followed->first_utc, .last_utc = followed->last_utc,
                            .best_confidence = followed->best_confidence, .frames = followed->frames};
  emit(&event, user);
}

/* --- who is who -------------------------------------------------------------------------------------------- */

static gfloat overlap(const FoveaObject *a, const FoveaObject *b) {
  gfloat width = MIN(a->x1, b->x1) - MAX(a->x0, b->x0), height = MIN(a->y1, b->y1) - MAX(a->y0, b->y0);
  if (!(width > 0 && height > 0))
    return 0;
  gfloat common = width * height;
  return common / ((a->x1 - a->x0) * (a->y1 - a->y0) + (b->x1 - b->x0) * (b->y1 - b->y0) - common);
}

/* Above 1 for the same track, so that it comes before every overlap; 0: not the same. */
static gfloat likeness(const Followed *followed, const FoveaObject *object) {
  if (object->id >= 0 || followed->object.id >= 0)
    return object->id == followed->object.id ? 2 : 0;
  if (!g_str_equal(object->label, followed->object.label))
    return 0;
  gfloat share = overlap(object, &followed->object);
  return share >= FOVEA_EVENTS_MIN_IOU ? share : 0;
}

static int better_first(gconstpointer a, gconstpointer b) {
  const Pair *x = a, *y = b;
  if (x->overlap != y->overlap)
    return x->overlap > y->overlap ? -1 : 1;
  return x->followed != y->followed ? (x->followed < y->followed ? -1 : 1) : (x->object < y->object ? -1 : x->object > y->object);
}

static void find_pairs(FoveaEvents *events, const FoveaRecord *record) {
  g_array_set_size(events->pairs, 0);
  for (guint i = 0; i < events->all->len; i++) {
    for (guint j = 0; j < record->object_count; j++) {
      Pair pair = {likeness(events->all->pdata[i], &record->objects[j]), i, j};
      if (pair.overlap > 0)
        g_array_append_val(events->pairs, pair);
    }
  }
  g_array_sort(events->pairs, better_first);
}

static void see(Followed *followed, const FoveaRecord *record, const FoveaObject *object) {
  followed->object = *object;
  followed->last_seen = record->timestamp;
  followed->last_utc = record->utc;
  followed->best_confidence = MAX(followed->best_confidence, object->confidence);
  followed->frames++;
  followed->taken = TRUE;
}

static void match(FoveaEvents *events, const FoveaRecord *record) {
  find_pairs(events, record);
  g_byte_array_set_size(events->taken, record->object_count);
  for (guint j = 0; j < record->object_count; j++) events->taken->data[j] = FALSE;
  for (guint i = 0; i < events->all->len; i++) ((Followed *)events->all->pdata[i])->taken = FALSE;
  for (guint k = 0; k < events->pairs->len; k++) {
    const Pair *pair = &g_array_index(events->pairs, Pair, k);
    Followed *followed = events->all->pdata[pair->followed];
    if (followed->taken || events->taken->data[pair->object])
      continue;
    events->taken->data[pair->object] = TRUE;
    see(followed, record, &record->objects[pair->object]);
  }
}

/* --- frames ------------------------------------------------------------------------------------------------ */

static void welcome(FoveaEvents *events, const FoveaRecord *record, const FoveaObject *object, FoveaEventFunc emit, gpointer user) {
  if (events->all->len >= FOVEA_EVENTS_MAX_OBJECTS)
    return;
  Followed *followed = g_new0(Followed, 1);
  followed->id = g_strdup_printf("%s-o%" G_GUINT64_FORMAT, events->run, ++events->count);
  followed->first_seen = followed->told = record->timestamp;
  followed->first_utc = record->utc;
  followed->best_confidence = object->confidence;
  see(followed, record, object);
  g_ptr_array_add(events->all, followed);
  tell(followed, FOVEA_EVENT_NEW, record, emit, user);
}

static void update(FoveaEvents *events, const FoveaRecord *record, FoveaEventFunc emit, gpointer user) {
  for (guint i = 0; events->update && i < events->all->len; i++) {
    Followed *followed = events->all->pdata[i];
    if (!followed->taken || record->timestamp - followed->told < events->update)
      continue;
    followed->told = record->timestamp;
    tell(followed, FOVEA_EVENT_UPDATE, record, emit, user);
  }
}

static void expire(FoveaEvents *events, const FoveaRecord *record, gboolean all, FoveaEventFunc emit, gpointer user) {
  for (guint i = 0; i < events->all->len;) {
    Followed *followed = events->all->pdata[i];
    if (!all && record->timestamp - followed->last_seen <= events->timeout) {
      i++;
      continue;
    }
    tell(followed, FOVEA_EVENT_END, record, emit, user);
    g_ptr_array_remove_index(events->all, i);
  }
}

static gboolean counts_as_sight(const FoveaRecord *record) {
  return record->analysed || (record->object_count > 0 && record->objects[0].id >= 0);
}

static void remember(FoveaEvents *events, const FoveaRecord *record) {
  if (g_strcmp0(events->last_source, record->source) != 0) {
    g_free(events->last_source);
    events->last_source = g_strdup(record->source);
  }
  events->last = *record;
  events->last.id = NULL;
  events->last.source = events->last_source;
  events->last.objects = NULL;
  events->last.object_count = 0;
}

void fovea_events_add(FoveaEvents *events, const FoveaRecord *given, FoveaEventFunc emit, gpointer user) {
  FoveaRecord record = *given;
  if (!GST_CLOCK_TIME_IS_VALID(record.timestamp)) /* a frame without a time stands at the one before */
    record.timestamp = GST_CLOCK_TIME_IS_VALID(events->last.timestamp) ? events->last.timestamp : 0;
  if (GST_CLOCK_TIME_IS_VALID(events->last.timestamp) && record.timestamp < events->last.timestamp) /* begins anew, by a seek for one */
    fovea_events_finish(events, emit, user);
  remember(events, &record);
  if (counts_as_sight(&record)) {
    match(events, &record);
    update(events, &record, emit, user);
    for (guint j = 0; j < record.object_count; j++) {
      if (!events->taken->data[j])
        welcome(events, &record, &record.objects[j], emit, user);
    }
  }
  expire(events, &record, FALSE, emit, user);
}

void fovea_events_finish(FoveaEvents *events, FoveaEventFunc emit, gpointer user) { expire(events, &events->last, TRUE, emit, user); }

/* --- JSON -------------------------------------------------------------------------------------------------- */

static void append_frame(GString *line, const FoveaRecord *frame) {
  fovea_json_append_string(line, frame->source ? frame->source : "");
  g_string_append_printf(line, ",\"seq\":%" G_GUINT64_FORMAT ",\"timestamp\":%" G_GUINT64_FORMAT, frame->seq,
                         GST_CLOCK_TIME_IS_VALID(frame->timestamp) ? frame->timestamp : 0);
  if (frame->utc >= 0)
    fovea_json_append_time(line, "utc", frame->utc);
  g_string_append(line, ",\"clock\":");
  fovea_json_append_string(line, frame->clock ? frame->clock : "none");
  g_string_append_printf(line, ",\"gap\":%s,\"resolution\":{\"width\":%d,\"height\":%d}", frame->gap ? "true" : "false", frame->width, frame->height);
  if (frame->model)
    fovea_json_append_model(line, frame->model, frame->model_sha256);
}

void fovea_json_append_event(GString *line, const FoveaEvent *event, const gchar *id) {
  static const gchar *const kinds[] = {"new", "update", "end"};
  const FoveaObject *object = event->object;
  g_string_append_printf(line, "{\"schema\":\"" FOVEA_EVENT_SCHEMA "\",\"id\":\"%s\",\"event\":\"%s\",\"source\":", id, kinds[event->kind]);
  append_frame(line, event->frame);
  g_string_append_printf(line, ",\"object\":{\"id\":\"%s\"", event->object_id);
  if (object->id >= 0)
    g_string_append_printf(line, ",\"track\":%" G_GINT64_FORMAT, object->id);
  g_string_append_printf(line, ",\"first_seen\":%" G_GUINT64_FORMAT ",\"last_seen\":%" G_GUINT64_FORMAT, event->first_seen, event->last_seen);
  if (event->first_utc >= 0)
    fovea_json_append_time(line, "first_utc", event->first_utc);
  if (event->last_utc >= 0)
    fovea_json_append_time(line, "last_utc", event->last_utc);
  g_string_append(line, ",\"duration_ms\":");
  fovea_json_append_number(line, "%.0f", (gdouble)(event->last_seen - event->first_seen) / GST_MSECOND);
  g_string_append_printf(line, ",\"frames\":%" G_GUINT64_FORMAT, event->frames);
  if (event->best_confidence >= 0) {
    g_string_append(line, ",\"best_confidence\":");
    fovea_json_append_number(line, "%.4g", event->best_confidence);
  }
  g_string_append_c(line, ',');
  fovea_json_append_detection(line, object, event->frame->width, event->frame->height);
  g_string_append(line, "}}\n");
}
