#include "trigger.h"

#include "common/framemeta.h"
#include "common/meta.h"

/* Pads and signals hold references of their own, so that a call under way when it stops finds it stopped rather than gone. */
struct FoveaTrigger {
  gatomicrefcount references;
  GMutex lock;           /* held while func runs, which makes stop wait for it */
  FoveaTriggerFunc func; /* NULL: stopped */
  gpointer user;
  gchar *element;
  gchar **labels;        /* NULL: any */
  gdouble confidence;
  GstElement *top;
  gulong added;
  GstElement *watched;   /* the element, weakly: it may go, and one of the same name may come */
  GstPad *pad;
  gint found;            /* atomic: pad is set */
  gulong probe;
  GArray *objects;       /* FoveaObject; the probe's */
};

static FoveaTrigger *trigger_ref(FoveaTrigger *trigger) {
  g_atomic_ref_count_inc(&trigger->references);
  return trigger;
}

static void trigger_unref(gpointer data) {
  FoveaTrigger *trigger = data;
  if (!g_atomic_ref_count_dec(&trigger->references))
    return;
  g_mutex_clear(&trigger->lock);
  g_free(trigger->element);
  g_strfreev(trigger->labels);
  g_array_unref(trigger->objects);
  g_free(trigger);
}

static void closure_unref(gpointer data, GClosure *closure) { trigger_unref(data); }

/* ---- a buffer ---- */

static gboolean counts(const FoveaTrigger *trigger, const FoveaObject *object) {
  if (object->confidence >= 0 && object->confidence < trigger->confidence)
    return FALSE;
  return !trigger->labels || g_strv_contains((const gchar *const *)trigger->labels, object->label);
}

static gboolean frame_size(GstPad *pad, gint *width, gint *height) {
  GstCaps *caps = gst_pad_get_current_caps(pad);
  const GstStructure *structure = caps ? gst_caps_get_structure(caps, 0) : NULL;
  gboolean known = structure && gst_structure_get_int(structure, "width", width) && gst_structure_get_int(structure, "height", height);
  gst_clear_caps(&caps);
  return known;
}

static gint64 running_time(GstPad *pad, GstBuffer *buffer) {
  GstEvent *event = gst_pad_get_sticky_event(pad, GST_EVENT_SEGMENT, 0);
  const GstSegment *segment;
  GstClockTime running = GST_CLOCK_TIME_NONE;
  if (!event)
    return -1;
  gst_event_parse_segment(event, &segment);
  if (segment->format == GST_FORMAT_TIME && GST_BUFFER_PTS_IS_VALID(buffer))
    running = gst_segment_to_running_time(segment, GST_FORMAT_TIME, GST_BUFFER_PTS(buffer));
  gst_event_unref(event);
  return GST_CLOCK_TIME_IS_VALID(running) ? (gint64)running : -1;
}

/* The label of the first object that counts; NULL: none. Frames that only carry the boxes of an earlier one tell nothing new. */
static const gchar *look(FoveaTrigger *trigger, GstPad *pad, GstBuffer *buffer) {
  FoveaFrameMeta *frame = fovea_frame_meta_get(buffer);
  gint width, height;
  if ((frame && !frame->analysed) || !frame_size(pad, &width, &height))
    return NULL;
  g_array_set_size(trigger->objects, 0);
  fovea_meta_read(buffer, width, height, frame ? frame->label_quarks : NULL, trigger->objects);
  for (guint i = 0; i < trigger->objects->len; i++) {
    const FoveaObject *object = &g_array_index(trigger->objects, FoveaObject, i);
    if (counts(trigger, object))
      return g_intern_string(object->label);
  }
  return NULL;
}

static GstPadProbeReturn on_buffer(GstPad *pad, GstPadProbeInfo *info, gpointer user) {
  FoveaTrigger *trigger = user;
  g_mutex_lock(&trigger->lock);
  const gchar *label = trigger->func && trigger->pad == pad ? look(trigger, pad, GST_PAD_PROBE_INFO_BUFFER(info)) : NULL;
  gint64 time = label ? running_time(pad, GST_PAD_PROBE_INFO_BUFFER(info)) : -1;
  if (time >= 0)
    trigger->func(trigger->user, time, label);
  g_mutex_unlock(&trigger->lock);
  return GST_PAD_PROBE_OK;
}

/* ---- finding the element ---- */

static GstPad *first_src_pad(GstElement *element) {
  GstPad *pad = gst_element_get_static_pad(element, "src");
  if (pad)
    return pad;
  GST_OBJECT_LOCK(element);
  if (element->srcpads)
    pad = gst_object_ref(element->srcpads->data);
  GST_OBJECT_UNLOCK(element);
  return pad;
}

/* The three below: with the lock held. */
static void forget(FoveaTrigger *trigger, GstPad **ret_pad, gulong *ret_probe) {
  *ret_pad = trigger->pad;
  *ret_probe = trigger->probe;
  trigger->pad = NULL;
  trigger->probe = 0;
  g_atomic_int_set(&trigger->found, FALSE);
}

static void watch_pad(FoveaTrigger *trigger, GstPad *pad) {
  trigger->pad = gst_object_ref(pad);
  g_atomic_int_set(&trigger->found, TRUE);
  trigger->probe = gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, on_buffer, trigger_ref(trigger), trigger_unref);
}

static void on_pad_added(GstElement *element, GstPad *pad, gpointer user) {
  FoveaTrigger *trigger = user;
  g_mutex_lock(&trigger->lock);
  if (trigger->func && !trigger->pad && trigger->watched == element && gst_pad_get_direction(pad) == GST_PAD_SRC)
    watch_pad(trigger, pad);
  g_mutex_unlock(&trigger->lock);
}

static void remove_probe(GstPad *pad, gulong probe) {
  if (pad && probe)
    gst_pad_remove_probe(pad, probe);
  gst_clear_object(&pad);
}

static void watch(FoveaTrigger *trigger, GstElement *element) {
  GstPad *pad = first_src_pad(element), *old_pad;
  gulong old_probe;
  g_mutex_lock(&trigger->lock);
  forget(trigger, &old_pad, &old_probe);
  gboolean running = trigger->func != NULL;
  if (running) {
    trigger->watched = element; /* compared only */
    if (pad)
      watch_pad(trigger, pad);
  }
  g_mutex_unlock(&trigger->lock);
  remove_probe(old_pad, old_probe);
  if (running && !pad)
    g_signal_connect_data(element, "pad-added", G_CALLBACK(on_pad_added), trigger_ref(trigger), closure_unref, 0);
  gst_clear_object(&pad);
}

static void on_element_added(GstBin *top, GstBin *bin, GstElement *element, gpointer user) {
  FoveaTrigger *trigger = user;
  gchar *name = gst_element_get_name(element);
  if (g_strcmp0(name, trigger->element) == 0)
    watch(trigger, element);
  g_free(name);
}

static GstElement *top_of(GstElement *element) {
  GstObject *top = gst_object_ref(element), *parent;
  while ((parent = gst_object_get_parent(top))) {
    gst_object_unref(top);
    top = parent;
  }
  return GST_ELEMENT(top);
}

static gchar **split_labels(const gchar *labels) {
  if (!labels || !*labels)
    return NULL;
  gchar **split = g_strsplit(labels, ",", -1);
  for (gchar **label = split; *label; label++) g_strstrip(*label);
  return split;
}

FoveaTrigger *fovea_trigger_start(GstElement *owner, const FoveaTriggerFilter *filter, FoveaTriggerFunc func, gpointer user) {
  if (!filter->element || !*filter->element)
    return NULL;
  FoveaTrigger *trigger = g_new0(FoveaTrigger, 1);
  g_atomic_ref_count_init(&trigger->references);
  g_mutex_init(&trigger->lock);
  trigger->func = func;
  trigger->user = user;
  trigger->element = g_strdup(filter->element);
  trigger->labels = split_labels(filter->labels);
  trigger->confidence = filter->confidence;
  trigger->objects = g_array_new(FALSE, FALSE, sizeof(FoveaObject));
  trigger->top = top_of(owner);
  if (GST_IS_BIN(trigger->top)) {
    trigger->added = g_signal_connect_data(trigger->top, "deep-element-added", G_CALLBACK(on_element_added), trigger_ref(trigger), closure_unref, 0);
    GstElement *element = gst_bin_get_by_name(GST_BIN(trigger->top), trigger->element);
    if (element)
      watch(trigger, element);
    gst_clear_object(&element);
  }
  return trigger;
}

void fovea_trigger_stop(FoveaTrigger *trigger) {
  GstPad *pad;
  gulong probe;
  if (!trigger)
    return;
  g_mutex_lock(&trigger->lock);
  trigger->func = NULL;
  forget(trigger, &pad, &probe);
  g_mutex_unlock(&trigger->lock);
  remove_probe(pad, probe);
  if (trigger->added)
    g_signal_handler_disconnect(trigger->top, trigger->added);
  gst_clear_object(&trigger->top);
  trigger_unref(trigger);
}

gboolean fovea_trigger_found(FoveaTrigger *trigger) { return trigger && g_atomic_int_get(&trigger->found); }

/* ---- what elements with a trigger have in common ---- */

enum { NUMBER_ELEMENT, NUMBER_LABELS, NUMBER_CONFIDENCE, NUMBER_DELAY };

FoveaTriggerFilter fovea_trigger_filter_copy(const FoveaTriggerFilter *filter) {
  FoveaTriggerFilter copy = *filter;
  copy.element = g_strdup(filter->element);
  copy.labels = g_strdup(filter->labels);
  return copy;
}

void fovea_trigger_filter_clear(FoveaTriggerFilter *filter) {
  g_clear_pointer(&filter->element, g_free);
  g_clear_pointer(&filter->labels, g_free);
}

void fovea_trigger_install_properties(GObjectClass *class, guint first, const gchar *element_blurb, const gchar *delay_blurb) {
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;
  g_object_class_install_property(class, first + NUMBER_ELEMENT, g_param_spec_string("trigger-element", "Trigger element", element_blurb, NULL, flags));
  g_object_class_install_property(class, first + NUMBER_LABELS,
                                  g_param_spec_string("trigger-labels", "Trigger labels", "Only these, with commas between them; unset: any", NULL, flags));
  g_object_class_install_property(class, first + NUMBER_CONFIDENCE,
                                  g_param_spec_double("trigger-confidence", "Trigger confidence", "Only objects of at least this confidence", 0, 1, 0, flags));
  g_object_class_install_property(class, first + NUMBER_DELAY,
                                  g_param_spec_uint("trigger-delay", "Trigger delay", delay_blurb, 0, 24 * 3600 * 1000, FOVEA_TRIGGER_DELAY, flags));
}

static void take_text(gchar **place, const GValue *value) {
  g_free(*place);
  *place = g_value_dup_string(value);
}

gboolean fovea_trigger_set_property(FoveaTriggerFilter *filter, guint number, const GValue *value) {
  switch (number) {
    case NUMBER_ELEMENT: take_text(&filter->element, value); return TRUE;
    case NUMBER_LABELS: take_text(&filter->labels, value); return TRUE;
    case NUMBER_CONFIDENCE: filter->confidence = g_value_get_double(value); return TRUE;
    case NUMBER_DELAY: filter->delay = g_value_get_uint(value); return TRUE;
    default: return FALSE;
  }
}

gboolean fovea_trigger_get_property(const FoveaTriggerFilter *filter, guint number, GValue *value) {
  switch (number) {
    case NUMBER_ELEMENT: g_value_set_string(value, filter->element); return TRUE;
    case NUMBER_LABELS: g_value_set_string(value, filter->labels); return TRUE;
    case NUMBER_CONFIDENCE: g_value_set_double(value, filter->confidence); return TRUE;
    case NUMBER_DELAY: g_value_set_uint(value, filter->delay); return TRUE;
    default: return FALSE;
  }
}

void fovea_trigger_install_signal(GObjectClass *class, GCallback func) {
  g_signal_new_class_handler("trigger", G_TYPE_FROM_CLASS(class), G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION, func, NULL, NULL, NULL, G_TYPE_NONE, 2, G_TYPE_UINT64, G_TYPE_STRING);
}
