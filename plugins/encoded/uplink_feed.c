/* What the threads of the links ask for and tell; all with the lock held. */
#include "uplink_internal.h"

#define TURN_US (50 * 1000) /* how soon a link that waits for a clock looks again */
#define IDLE_US (5 * G_USEC_PER_SEC) /* a replay that has nothing to send for so long ends */
#define LIVE_LAG_US (250 * 1000) /* the replay stands back while live frames wait for longer */

static void wait_turn(FoveaUplink *uplink) { g_cond_wait_until(&uplink->changed, &uplink->lock, g_get_monotonic_time() + TURN_US); }

static void give(const FoveaUplink *uplink, const FoveaLink *link, const FoveaEntry *entry, FoveaLinkFrame *out) {
  out->frame = *fovea_gop_frame(entry->gop, entry->sent);
  gst_buffer_ref(out->frame.buffer);
  out->caps = gst_caps_ref(entry->gop->caps);
  out->shift = uplink->params.times == FOVEA_TIMES_UTC ? entry->gop->epoch : 0;
  out->discont = GST_BUFFER_FLAG_IS_SET(out->frame.buffer, GST_BUFFER_FLAG_DISCONT) || (entry->sent == 0 && entry->gop->part == 0) || link->frames == 0;
}

/* ---- live ---- */

static FoveaLinkStep next_live(gpointer user, FoveaLink *link, FoveaLinkFrame *out) {
  FoveaUplink *uplink = user;
  while (!fovea_link_must_end(link)) {
    fovea_uplink_doom_old(uplink);
    FoveaEntry *entry = g_queue_peek_head(&uplink->queue);
    if (entry && entry->sent < entry->gop->frames->len) {
      entry->begun = TRUE;
      give(uplink, link, entry, out);
      return FOVEA_LINK_FRAME;
    }
    if (uplink->stopping && !entry)
      return FOVEA_LINK_DRAIN;
    wait_turn(uplink);
  }
  return FOVEA_LINK_QUIT;
}

static void handed_live(gpointer user, FoveaLink *link) {
  FoveaUplink *uplink = user;
  FoveaEntry *entry = g_queue_peek_head(&uplink->queue);
  entry->sent++;
  fovea_uplink_settle(uplink);
}

/* ---- replay ---- */

static void refill(FoveaUplink *uplink) {
  gint64 now = g_get_monotonic_time();
  gdouble rate = (gdouble)uplink->params.replay_rate;
  uplink->tokens = MIN(uplink->tokens + rate * (gdouble)(now - uplink->filled_at) * 1e-6, rate / 4); /* a quarter of a second's worth at most */
  uplink->filled_at = now;
}

static gboolean may_go(FoveaUplink *uplink) {
  refill(uplink);
  return (uplink->params.replay_rate == 0 || uplink->tokens > 0) && fovea_uplink_waiting(uplink) < LIVE_LAG_US;
}

/* Muxers do not go back in time: what is older than the last goes over a connection of its own. */
static gboolean is_back_in_time(const FoveaLink *link, const FoveaLinkFrame *out) {
  return link->last_time != FOVEA_NO_TIME && fovea_frame_order(&out->frame) + out->shift < link->last_time;
}

static FoveaLinkStep next_replay(gpointer user, FoveaLink *link, FoveaLinkFrame *out) {
  FoveaUplink *uplink = user;
  while (!fovea_link_must_end(link) && !uplink->stopping) {
    FoveaEntry *entry = g_queue_peek_head(&uplink->replay);
    if (!entry && g_get_monotonic_time() - uplink->replay_active > IDLE_US)
      return FOVEA_LINK_DRAIN;
    if (!entry || !may_go(uplink)) {
      wait_turn(uplink);
      continue;
    }
    give(uplink, link, entry, out);
    if (entry->sent > 0 || !is_back_in_time(link, out))
      return FOVEA_LINK_FRAME;
    fovea_frame_clear(&out->frame);
    gst_clear_caps(&out->caps);
    return FOVEA_LINK_DRAIN;
  }
  return uplink->stopping && link->frames > 0 ? FOVEA_LINK_DRAIN : FOVEA_LINK_QUIT;
}

static void handed_replay(gpointer user, FoveaLink *link) {
  FoveaUplink *uplink = user;
  FoveaEntry *entry = g_queue_peek_head(&uplink->replay);
  uplink->tokens -= (gdouble)gst_buffer_get_size(fovea_gop_frame(entry->gop, entry->sent)->buffer);
  uplink->replay_active = g_get_monotonic_time();
  if (++entry->sent < entry->gop->frames->len)
    return;
  g_queue_pop_head(&uplink->replay);
  entry->handed_at = g_get_monotonic_time();
  entry->handed_frames = link->frames, entry->handed_bytes = link->bytes;
  g_queue_push_tail(&uplink->replayed, entry);
  g_cond_broadcast(&uplink->changed);
}

const FoveaLinkFeed fovea_live_feed = {.unref = fovea_uplink_unref, .next = next_live, .handed = handed_live};
const FoveaLinkFeed fovea_replay_feed = {.unref = fovea_uplink_unref, .next = next_replay, .handed = handed_replay};
