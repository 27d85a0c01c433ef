#include "framemeta.h"

#define META_NAME "FoveaFrameMeta"

GType fovea_frame_meta_api_get_type(void) {
  static gsize type = 0;
  static const gchar *tags[] = {NULL};
  if (g_once_init_enter(&type)) {
    /* The pipeline library carries this file too, and may live in one process with the plugin. */
    GType known = g_type_from_name(META_NAME "API");
    g_once_init_leave(&type, known ? known : gst_meta_api_type_register(META_NAME "API", tags));
  }
  return type;
}

static gboolean frame_meta_init(GstMeta *meta, gpointer params, GstBuffer *buffer) {
  FoveaFrameMeta *frame = (FoveaFrameMeta *)meta;
  frame->seq = 0;
  frame->model = NULL;
  frame->model_sha256 = NULL;
  frame->label_quarks = NULL;
  frame->objects = NULL;
  frame->latency = 0;
  frame->analysed = FALSE;
  return TRUE;
}

static void frame_meta_free(GstMeta *meta, GstBuffer *buffer) {
  FoveaFrameMeta *frame = (FoveaFrameMeta *)meta;
  g_clear_pointer(&frame->label_quarks, g_array_unref);
  g_clear_pointer(&frame->objects, g_array_unref);
}

/* Holds nothing that depends on size, colour or memory, so every transform keeps it. */
static gboolean frame_meta_transform(GstBuffer *dest, GstMeta *meta, GstBuffer *buffer, GQuark type, gpointer data) {
  const FoveaFrameMeta *from = (const FoveaFrameMeta *)meta;
  FoveaFrameMeta *to = fovea_frame_meta_add(dest, from->seq, from->model, from->label_quarks, from->objects);
  to->model_sha256 = from->model_sha256;
  to->latency = from->latency;
  to->analysed = from->analysed;
  return TRUE;
}

static const GstMetaInfo *frame_meta_info(void) {
  static gsize info = 0;
  if (g_once_init_enter(&info)) {
    const GstMetaInfo *known = gst_meta_get_info(META_NAME);
    if (!known)
      known = gst_meta_register(fovea_frame_meta_api_get_type(), META_NAME, sizeof(FoveaFrameMeta), frame_meta_init,
                                frame_meta_free, frame_meta_transform);
    g_once_init_leave(&info, (gsize)known);
  }
  return (const GstMetaInfo *)info;
}

FoveaFrameMeta *fovea_frame_meta_add(GstBuffer *buffer, guint64 seq, const gchar *model, GArray *label_quarks, GArray *objects) {
  FoveaFrameMeta *frame = (FoveaFrameMeta *)gst_buffer_add_meta(buffer, frame_meta_info(), NULL);
  frame->seq = seq;
  frame->model = g_intern_string(model);
  frame->label_quarks = label_quarks ? g_array_ref(label_quarks) : NULL;
  frame->objects = objects ? g_array_ref(objects) : NULL;
  return frame;
}

FoveaFrameMeta *fovea_frame_meta_get(GstBuffer *buffer) {
  gpointer state = NULL;
  GstMeta *meta, *last = NULL;
  while ((meta = gst_buffer_iterate_meta_filtered(buffer, &state, fovea_frame_meta_api_get_type())))
    last = meta;
  return (FoveaFrameMeta *)last;
}
