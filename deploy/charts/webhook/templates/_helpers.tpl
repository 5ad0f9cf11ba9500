{{- define "webhook.labels" -}}
app.kubernetes.io/name: {{ .Values.name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "webhook.selector" -}}
app.kubernetes.io/name: {{ .Values.name }}
{{- end }}

{{- define "webhook.metadata" -}}
name: {{ .Values.name }}
namespace: {{ .Release.Namespace }}
labels: {{- include "webhook.labels" . | nindent 2 }}
{{- end }}
