/* Runs a pipeline and tells on standard output, a line each: "epoch SECONDS" (Unix time of running time 0), "stats STRUCTURE" of the element named spool or clips every 200 ms,
 * "message STRUCTURE" of element messages, "warning TEXT", "eos". SIGTERM ends the stream; a line "trigger SECONDS LABEL" on standard input triggers.
 * Buffers that leave an element named untold have no decoding times, as those out of RTP.
 * With "--missing ELEMENT…" it prints the elements that are not here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <glib-unix.h>
#include <gst/gst.h>

typedef struct Sender {
  GMainLoop *loop;
  GstElement *pipeline, *element;
  gboolean told;
  gint result;
} Sender;

static void say(const gchar *word, const gchar *text) {
  printf("%s %s\n", word, text);
  fflush(stdout);
}

static gboolean on_tick(gpointer user) {
  Sender *sender = user;
  GstStructure *stats = NULL;
  if (!sender->element)
    return G_SOURCE_CONTINUE;
  g_object_get(sender->element, "stats", &stats, NULL);
  gchar *text = gst_structure_to_string(stats);
  say("stats", text);
  g_free(text);
  gst_structure_free(stats);
  return G_SOURCE_CONTINUE;
}

static gboolean on_term(gpointer user) {
  gst_element_send_event(((Sender *)user)->pipeline, gst_event_new_eos());
  return G_SOURCE_CONTINUE;
}

static gboolean on_input(GIOChannel *channel, GIOCondition condition, gpointer user) {
  Sender *sender = user;
  gchar *line = NULL, label[64] = "";
  gdouble at;
  if (g_io_channel_read_line(channel, &line, NULL, NULL, NULL) != G_IO_STATUS_NORMAL)
    return G_SOURCE_REMOVE;
  if (sscanf(line, "trigger %lf %63s", &at, label) == 2 && sender->element)
    g_signal_emit_by_name(sender->element, "trigger", (guint64)(at * GST_SECOND), label);
  g_free(line);
  return G_SOURCE_CONTINUE;
}

static void tell_epoch(Sender *sender) {
  GstClock *clock = gst_element_get_clock(sender->pipeline);
  gdouble running = (gdouble)(gst_clock_get_time(clock) - gst_element_get_base_time(sender->pipeline)) / GST_SECOND;
  gchar *text = g_strdup_printf("%.6f", (gdouble)g_get_real_time() * 1e-6 - running);
  say("epoch", text);
  g_free(text);
  gst_object_unref(clock);
  sender->told = TRUE;
}

static void tell_message(GstMessage *message) {
  gchar *text = gst_structure_to_string(gst_message_get_structure(message));
  say("message", text);
  g_free(text);
}

static gboolean on_message(GstBus *bus, GstMessage *message, gpointer user) {
  Sender *sender = user;
  GError *error = NULL;
  GstState now;
  switch (GST_MESSAGE_TYPE(message)) {
    case GST_MESSAGE_STATE_CHANGED:
      gst_message_parse_state_changed(message, NULL, &now, NULL);
      if (GST_MESSAGE_SRC(message) == GST_OBJECT(sender->pipeline) && now == GST_STATE_PLAYING && !sender->told)
        tell_epoch(sender);
      break;
    case GST_MESSAGE_ELEMENT: tell_message(message); break;
    case GST_MESSAGE_WARNING:
      gst_message_parse_warning(message, &error, NULL);
      say("warning", error->message);
      break;
    case GST_MESSAGE_ERROR:
      gst_message_parse_error(message, &error, NULL);
      say("error", error->message);
      sender->result = 1;
      g_main_loop_quit(sender->loop);
      break;
    case GST_MESSAGE_EOS: g_main_loop_quit(sender->loop); break;
    default: break;
  }
  g_clear_error(&error);
  return TRUE;
}

static GstPadProbeReturn forget_decoding_time(GstPad *pad, GstPadProbeInfo *info, gpointer user) {
  info->data = gst_buffer_make_writable(GST_PAD_PROBE_INFO_BUFFER(info));
  GST_BUFFER_DTS(GST_PAD_PROBE_INFO_BUFFER(info)) = GST_CLOCK_TIME_NONE;
  return GST_PAD_PROBE_OK;
}

static void forget_decoding_times(GstElement *pipeline) {
  GstElement *element = gst_bin_get_by_name(GST_BIN(pipeline), "untold");
  if (!element)
    return;
  GstPad *pad = gst_element_get_static_pad(element, "src");
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, forget_decoding_time, NULL, NULL);
  gst_object_unref(pad);
  gst_object_unref(element);
}

static gint print_missing(gchar **names) {
  for (; *names; names++) {
    GstElementFactory *factory = gst_element_factory_find(*names);
    if (!factory)
      puts(*names);
    gst_clear_object(&factory);
  }
  return 0;
}

int main(int argc, char **argv) {
  GError *error = NULL;
  Sender sender = {0};
  gst_init(&argc, &argv);
  if (argc > 1 && strcmp(argv[1], "--missing") == 0)
    return print_missing(argv + 2);
  sender.pipeline = argc == 2 ? gst_parse_launch(argv[1], &error) : NULL;
  if (!sender.pipeline || error) {
    fprintf(stderr, "%s\n", error ? error->message : "usage: sender PIPELINE");
    return 2;
  }
  if (!(sender.element = gst_bin_get_by_name(GST_BIN(sender.pipeline), "spool")))
    sender.element = gst_bin_get_by_name(GST_BIN(sender.pipeline), "clips");
  forget_decoding_times(sender.pipeline);
  sender.loop = g_main_loop_new(NULL, FALSE);
  GstBus *bus = gst_element_get_bus(sender.pipeline);
  gst_bus_add_watch(bus, on_message, &sender);
  g_timeout_add(200, on_tick, &sender);
  g_unix_signal_add(SIGTERM, on_term, &sender);
  GIOChannel *input = g_io_channel_unix_new(0);
  g_io_add_watch(input, G_IO_IN | G_IO_HUP, on_input, &sender);
  gst_element_set_state(sender.pipeline, GST_STATE_PLAYING);
  g_main_loop_run(sender.loop);
  on_tick(&sender);
  gst_element_set_state(sender.pipeline, GST_STATE_NULL);
  say("eos", "");
  g_io_channel_unref(input);
  gst_bus_remove_watch(bus);
  gst_object_unref(bus);
  gst_clear_object(&sender.element);
  gst_object_unref(sender.pipeline);
  g_main_loop_unref(sender.loop);
  return sender.result;
}
