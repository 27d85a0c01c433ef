/* An RTSP camera for tests, a program of its own so that it can be stopped, frozen and killed. Prints "port N" when it listens, and serves rtsp://127.0.0.1:N/camera: H.264 that one
 * encoder makes for all who watch, as a camera does.
 *
 * Usage: rtsp-server [--port N] [--width N] [--height N] [--rate N] [--key-interval FRAMES] [--user NAME --password TEXT] */
#include <stdio.h>

#include <gst/rtsp-server/rtsp-server.h>

static gint port = 0, width = 320, height = 240, rate = 25, key_interval = 10;
static gchar *user = NULL, *password = NULL;

static void require_password(GstRTSPServer *server, GstRTSPMediaFactory *factory) {
  GstRTSPAuth *auth = gst_rtsp_auth_new();
  GstRTSPToken *token = gst_rtsp_token_new(GST_RTSP_TOKEN_MEDIA_FACTORY_ROLE, G_TYPE_STRING, "viewer", NULL);
  gchar *basic = gst_rtsp_auth_make_basic(user, password);
  gst_rtsp_media_factory_add_role(factory, "viewer", GST_RTSP_PERM_MEDIA_FACTORY_ACCESS, G_TYPE_BOOLEAN, TRUE, GST_RTSP_PERM_MEDIA_FACTORY_CONSTRUCT, G_TYPE_BOOLEAN, TRUE,
                                  NULL);
  gst_rtsp_auth_add_basic(auth, basic, token);
  gst_rtsp_server_set_auth(server, auth);
  gst_rtsp_token_unref(token);
  g_object_unref(auth);
  g_free(basic);
}

static GstRTSPMediaFactory *make_factory(void) {
  GstRTSPMediaFactory *factory = gst_rtsp_media_factory_new();
  gchar *launch = g_strdup_printf("( videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,width=%d,height=%d,framerate=%d/1 ! "
                                  "x264enc tune=zerolatency speed-preset=ultrafast bitrate=300 key-int-max=%d threads=1 ! rtph264pay name=pay0 pt=96 config-interval=-1 )",
                                  width, height, rate, key_interval);
  gst_rtsp_media_factory_set_launch(factory, launch);
  gst_rtsp_media_factory_set_shared(factory, TRUE);
  g_free(launch);
  return factory;
}

static GstRTSPServer *make_server(void) {
  GstRTSPServer *server = gst_rtsp_server_new();
  gchar *service = g_strdup_printf("%d", port);
  GstRTSPMediaFactory *factory = make_factory();
  gst_rtsp_server_set_address(server, "127.0.0.1");
  gst_rtsp_server_set_service(server, service);
  if (user && password)
    require_password(server, factory);
  GstRTSPMountPoints *mounts = gst_rtsp_server_get_mount_points(server);
  gst_rtsp_mount_points_add_factory(mounts, "/camera", factory);
  g_object_unref(mounts);
  g_free(service);
  return server;
}

int main(int argc, char **argv) {
  const GOptionEntry entries[] = {
    {"port", 0, 0, G_OPTION_ARG_INT, &port, "0: any", NULL}, {"width", 0, 0, G_OPTION_ARG_INT, &width, NULL, NULL},
    {"height", 0, 0, G_OPTION_ARG_INT, &height, NULL, NULL}, {"rate", 0, 0, G_OPTION_ARG_INT, &rate, NULL, NULL},
    {"key-interval", 0, 0, G_OPTION_ARG_INT, &key_interval, NULL, NULL}, {"user", 0, 0, G_OPTION_ARG_STRING, &user, NULL, NULL},
    {"password", 0, 0, G_OPTION_ARG_STRING, &password, NULL, NULL}, {NULL}};
  GOptionContext *context = g_option_context_new(NULL);
  GError *error = NULL;
  g_option_context_add_main_entries(context, entries, NULL);
  g_option_context_add_group(context, gst_init_get_option_group());
  if (!g_option_context_parse(context, &argc, &argv, &error)) {
    g_printerr("%s\n", error->message);
    return 2;
  }
  GstRTSPServer *server = make_server();
  if (!gst_rtsp_server_attach(server, NULL)) {
    g_printerr("port %d cannot be listened on\n", port);
    return 1;
  }
  g_print("port %d\n", gst_rtsp_server_get_bound_port(server));
  fflush(stdout);
  g_main_loop_run(g_main_loop_new(NULL, FALSE));
  return 0;
}
