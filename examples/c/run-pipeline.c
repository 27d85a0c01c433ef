/* Runs the cameras of a YAML file and prints what happens.
 *
 *   cc run-pipeline.c -o run-pipeline $(pkg-config --cflags --libs fovea-pipeline)
 *   ./run-pipeline cameras.yaml
 */
#include <stdio.h>

#include <fovea/pipeline.h>

static void on_detections(FoveaPipeline *pipeline, const char *camera, guint64 timestamp, const char *json, gpointer loop) {
  printf("%s %.3f s %s\n", camera, (double)timestamp / 1e9, json);
}

static void on_state(FoveaPipeline *pipeline, const char *camera, FoveaCameraState state, const char *message, gpointer loop) {
  char *word = g_enum_to_string(FOVEA_TYPE_CAMERA_STATE, (gint)state);
  printf("%s %s %s\n", camera, word, message);
  g_free(word);
}

static void on_finished(FoveaPipeline *pipeline, gpointer loop) { g_main_loop_quit(loop); }

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: run-pipeline FILE.yaml\n");
    return 2;
  }
  g_autoptr(GError) error = NULL;
  g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
  g_autoptr(FoveaPipeline) pipeline = fovea_pipeline_new_from_file(argv[1], &error);
  if (pipeline == NULL) {
    fprintf(stderr, "%s\n", error->message); /* one line per problem, each with its place */
    return 1;
  }
  g_signal_connect(pipeline, "detections", G_CALLBACK(on_detections), loop);
  g_signal_connect(pipeline, "state-changed", G_CALLBACK(on_state), loop);
  g_signal_connect(pipeline, "finished", G_CALLBACK(on_finished), loop);
  if (!fovea_pipeline_start(pipeline, &error)) {
    fprintf(stderr, "%s\n", error->message);
    return 1;
  }
  g_main_loop_run(loop);
  fovea_pipeline_stop(pipeline);
  return 0;
}
