#include "preroll.h"

#define LONGEST (60 * (gint64)GST_SECOND) /* of a part of a GOP */

void fovea_preroll_clear(FoveaPreroll *ring) {
  g_queue_clear_full(&ring->gops, (GDestroyNotify)fovea_gop_unref);
  ring->bytes = 0;
  ring->newest = FOVEA_NO_TIME;
  fovea_preroll_release(ring);
}

static void drop_oldest(FoveaPreroll *ring) {
  FoveaGop *oldest = g_queue_pop_head(&ring->gops);
  ring->bytes -= oldest->bytes;
  fovea_gop_unref(oldest);
}

/* The GOP that begins the span stays, and with it the parts it was cut into. */
static gboolean has_too_old(const FoveaPreroll *ring) {
  for (const GList *at = ring->gops.head ? ring->gops.head->next : NULL; at; at = at->next) {
    const FoveaGop *gop = at->data;
    if (gop->part == 0)
      return gop->start <= ring->newest - ring->span;
  }
  return FALSE;
}

static void trim(FoveaPreroll *ring) {
  while (ring->gops.length > 1 && ring->at != ring->gops.head && (ring->bytes > ring->max_bytes || has_too_old(ring))) drop_oldest(ring);
}

gboolean fovea_preroll_append(FoveaPreroll *ring, FoveaFrame *frame, GstCaps *caps) {
  static const FoveaGopBounds bounds = {.longest = LONGEST};
  FoveaGop *open = g_queue_peek_tail(&ring->gops);
  FoveaGopStep step = fovea_gop_step(open, frame, caps, &bounds);
  if (step == FOVEA_GOP_REFUSE) {
    fovea_frame_clear(frame);
    return FALSE;
  }
  if (!ring->epoch)
    ring->epoch = fovea_gop_epoch(frame);
  if (step != FOVEA_GOP_GROW) {
    guint part = step == FOVEA_GOP_CUT ? open->part + 1 : 0;
    open = fovea_gop_new(caps, ring->epoch, part);
    g_queue_push_tail(&ring->gops, open);
  }
  ring->newest = fovea_frame_order(frame);
  ring->bytes += gst_buffer_get_size(frame->buffer);
  fovea_gop_append(open, frame);
  trim(ring);
  return TRUE;
}

const FoveaGop *fovea_preroll_seek(FoveaPreroll *ring, gint64 time) {
  GList *found = NULL;
  for (GList *at = ring->gops.head; at; at = at->next) {
    const FoveaGop *gop = at->data;
    if (gop->part == 0 && (!found || gop->start <= time))
      found = at;
  }
  ring->at = found;
  ring->index = 0;
  return found ? found->data : NULL;
}

const FoveaFrame *fovea_preroll_peek(FoveaPreroll *ring, const FoveaGop **ret_gop) {
  if (ring->at && ring->index >= ((FoveaGop *)ring->at->data)->frames->len && ring->at->next)
    ring->at = ring->at->next, ring->index = 0;
  const FoveaGop *gop = ring->at ? ring->at->data : NULL;
  if (!gop || ring->index >= gop->frames->len)
    return NULL;
  *ret_gop = gop;
  return fovea_gop_frame(gop, ring->index);
}

void fovea_preroll_advance(FoveaPreroll *ring) { ring->index++; }

void fovea_preroll_release(FoveaPreroll *ring) {
  ring->at = NULL;
  ring->index = 0;
}
