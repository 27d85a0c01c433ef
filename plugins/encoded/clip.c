#include "clip.h"

#include <string.h>
#include <unistd.h>

#include "child.h"

#define DRAIN_MS 10000
#define FRAGMENT_MS 1000 /* what a kill may cost */

struct FoveaClip {
  FoveaClipStore *store;
  GMutex *store_lock;
  GstCaps *caps;
  gint64 epoch;
  FoveaClipDone done;
  gpointer user;
  /* lock */
  GMutex lock;
  GCond changed;
  GQueue frames; /* FoveaFrame, on the heap */
  gsize queued;
  gboolean ended;
  gboolean overrun; /* no frame is wanted any more */
  /* its thread's */
  FoveaClipResult result;
  gint descriptor;
  gchar *name;
  FoveaChild *child;
  gint64 end;
};

static void frame_free(gpointer frame) {
  fovea_frame_clear(frame);
  g_free(frame);
}

static void clip_free(FoveaClip *clip) {
  g_queue_clear_full(&clip->frames, frame_free);
  gst_caps_unref(clip->caps);
  g_mutex_clear(&clip->lock);
  g_cond_clear(&clip->changed);
  g_free(clip->name);
  g_free(clip);
}

/* The next frame, or NULL after the last. */
static FoveaFrame *take(FoveaClip *clip) {
  g_mutex_lock(&clip->lock);
  while (clip->frames.length == 0 && !clip->ended) g_cond_wait(&clip->changed, &clip->lock);
  FoveaFrame *frame = clip->overrun ? NULL : g_queue_pop_head(&clip->frames);
  if (frame)
    clip->queued -= gst_buffer_get_size(frame->buffer);
  if (clip->overrun && !clip->result.error)
    clip->result.error = g_strdup("the disk is too slow for the video");
  g_mutex_unlock(&clip->lock);
  return frame;
}

/* The parser makes what the muxer wants of a byte stream; what is in that form already it leaves as it is. */
static const gchar *parser_for(GstCaps *caps) {
  const gchar *name = gst_structure_get_name(gst_caps_get_structure(caps, 0));
  if (strcmp(name, "video/x-h264") == 0)
    return "h264parse ! ";
  if (strcmp(name, "video/x-h265") == 0)
    return "h265parse ! ";
  if (strcmp(name, "video/x-av1") == 0)
    return "av1parse ! ";
  return strcmp(name, "video/x-vp9") == 0 ? "vp9parse ! " : "identity silent=true ! ";
}

static void note_error(FoveaClip *clip, gchar *sentence) {
  if (clip->result.error)
    g_free(sentence);
  else
    clip->result.error = sentence;
}

static void note_gerror(FoveaClip *clip, GError *error) {
  note_error(clip, g_strdup(error->message));
  g_error_free(error);
}

static gboolean open_file(FoveaClip *clip, gint64 start) {
  GError *error = NULL;
  g_mutex_lock(clip->store_lock);
  fovea_clip_store_tidy(clip->store);
  clip->descriptor = fovea_clip_store_create(clip->store, clip->epoch + start, &clip->name, &error);
  g_mutex_unlock(clip->store_lock);
  if (clip->descriptor < 0) {
    note_gerror(clip, error);
    return FALSE;
  }
  gchar *text = g_strdup_printf("%smp4mux fragment-duration=%d ! fdsink fd=%d sync=false async=false", parser_for(clip->caps), FRAGMENT_MS, clip->descriptor);
  clip->child = fovea_child_new(text, &error);
  g_free(text);
  if (clip->child)
    return fovea_child_start(clip->child, 0);
  note_gerror(clip, error);
  return FALSE;
}

static gboolean write_frame(FoveaClip *clip, const FoveaFrame *frame) {
  FoveaClipResult *result = &clip->result;
  gint64 time = fovea_frame_time(frame);
  GstClockTime duration = GST_BUFFER_DURATION(frame->buffer);
  if (result->frames == 0) {
    result->start = clip->end = time;
    if (!open_file(clip, time))
      return FALSE;
  }
  if (fovea_child_push(clip->child, frame, clip->caps, -result->start, FALSE) != GST_FLOW_OK)
    return FALSE;
  clip->end = MAX(clip->end, time + (GST_CLOCK_TIME_IS_VALID(duration) ? (gint64)duration : 0));
  result->frames++;
  result->bytes += gst_buffer_get_size(frame->buffer);
  return TRUE;
}

static void close_child(FoveaClip *clip, gboolean written) {
  gboolean drained = written && fovea_child_drain(clip->child, DRAIN_MS);
  gchar *cause = fovea_child_error(clip->child);
  if (cause)
    note_error(clip, cause);
  else if (!drained)
    note_error(clip, g_strdup("the end was not written in time"));
  fovea_child_stop(clip->child);
  fovea_child_unref(clip->child);
}

/* What was written before an error is kept: fragments before it play. */
static void close_file(FoveaClip *clip) {
  GError *error = NULL;
  g_mutex_lock(clip->store_lock);
  if (fovea_clip_is_playable(clip->descriptor))
    clip->result.location = fovea_clip_store_finish(clip->store, clip->descriptor, clip->name, &error);
  else
    fovea_clip_store_remove(clip->store, clip->name);
  close(clip->descriptor);
  fovea_clip_store_tidy(clip->store);
  g_mutex_unlock(clip->store_lock);
  if (error)
    note_gerror(clip, error);
}

static void stop_taking(FoveaClip *clip) {
  g_mutex_lock(&clip->lock);
  clip->overrun = TRUE;
  g_queue_clear_full(&clip->frames, frame_free);
  g_mutex_unlock(&clip->lock);
}

static gpointer clip_thread(gpointer data) {
  FoveaClip *clip = data;
  gboolean written = TRUE;
  FoveaFrame *frame;
  while (written && (frame = take(clip))) {
    written = write_frame(clip, frame);
    frame_free(frame);
  }
  stop_taking(clip);
  if (clip->child)
    close_child(clip, written);
  if (clip->descriptor >= 0)
    close_file(clip);
  clip->result.duration = clip->end - clip->result.start;
  g_mutex_lock(&clip->lock);
  while (!clip->ended) g_cond_wait(&clip->changed, &clip->lock); /* a failed one: whoever adds frames still has it */
  g_mutex_unlock(&clip->lock);
  clip->done(clip->user, &clip->result);
  clip_free(clip);
  return NULL;
}

FoveaClip *fovea_clip_begin(FoveaClipStore *store, GMutex *store_lock, GstCaps *caps, gint64 epoch, const gchar *label, FoveaClipDone done, gpointer user) {
  FoveaClip *clip = g_new0(FoveaClip, 1);
  clip->store = store;
  clip->store_lock = store_lock;
  clip->caps = gst_caps_ref(caps);
  clip->epoch = epoch;
  clip->done = done;
  clip->user = user;
  clip->result.label = label;
  clip->descriptor = -1;
  g_mutex_init(&clip->lock);
  g_cond_init(&clip->changed);
  g_thread_unref(g_thread_new("fovea-clip", clip_thread, clip));
  return clip;
}

void fovea_clip_add(FoveaClip *clip, const FoveaFrame *frame) {
  FoveaFrame *copy = g_memdup2(frame, sizeof *frame);
  gst_buffer_ref(copy->buffer);
  g_mutex_lock(&clip->lock);
  clip->queued += gst_buffer_get_size(copy->buffer);
  clip->overrun |= clip->queued > FOVEA_CLIP_QUEUE_BYTES;
  if (clip->overrun)
    frame_free(copy);
  else
    g_queue_push_tail(&clip->frames, copy);
  g_cond_broadcast(&clip->changed);
  g_mutex_unlock(&clip->lock);
}

GstCaps *fovea_clip_caps(const FoveaClip *clip) { return clip->caps; }

void fovea_clip_end(FoveaClip *clip) {
  g_mutex_lock(&clip->lock);
  clip->ended = TRUE;
  g_cond_broadcast(&clip->changed);
  g_mutex_unlock(&clip->lock);
}
