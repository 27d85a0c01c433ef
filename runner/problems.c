#include "problems.h"

static void problem_free(gpointer data) {
  FvProblem *problem = data;
  g_free(problem->message);
  g_free(problem);
}

void fv_problems_init(FvProblems *problems, const char *file) {
  problems->file = g_strdup(file);
  problems->items = g_ptr_array_new_with_free_func(problem_free);
}

void fv_problems_finish(FvProblems *problems) {
  g_clear_pointer(&problems->file, g_free);
  g_clear_pointer(&problems->items, g_ptr_array_unref);
}

void fv_problems_add(FvProblems *problems, FvPlace place, const char *format, ...) {
  if (problems->items->len >= FV_MAX_PROBLEMS) return;
  va_list args;
  va_start(args, format);
  FvProblem *problem = g_new0(FvProblem, 1);
  problem->place = place;
  problem->message = g_strdup_vprintf(format, args);
  va_end(args);
  g_ptr_array_add(problems->items, problem);
}

char *fv_problems_line(const FvProblems *problems, guint index) {
  const FvProblem *problem = g_ptr_array_index(problems->items, index);
  if (problem->place.line == 0) return g_strdup_printf("%s: error: %s", problems->file, problem->message);
  return g_strdup_printf("%s:%d:%d: error: %s", problems->file, problem->place.line, problem->place.column, problem->message);
}
