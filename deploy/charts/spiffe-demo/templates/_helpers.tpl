{{- define "spiffe-demo.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "spiffe-demo.labels" -}}
app.kubernetes.io/part-of: spiffe-demo
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "spiffe-demo.id" -}}
spiffe://{{ .root.Values.spire.trustDomain }}/ns/{{ .root.Release.Namespace }}/sa/{{ .name }}
{{- end }}

{{- /* The Workload API as commands take it, and the volume it comes with. */ -}}
{{- define "spiffe-demo.workloadApi" -}}
unix:///spiffe-workload-api/{{ .Values.spire.socketName }}
{{- end }}

{{- define "spiffe-demo.workloadApiVolume" -}}
- name: spiffe-workload-api
  csi: { driver: {{ .Values.spire.csiDriver }}, readOnly: true }
{{- end }}

{{- define "spiffe-demo.workloadApiMount" -}}
- { name: spiffe-workload-api, mountPath: /spiffe-workload-api, readOnly: true }
{{- end }}

{{- /* No privilege and no other user. Argument: uid */ -}}
{{- define "spiffe-demo.podSecurity" -}}
automountServiceAccountToken: false
securityContext:
  runAsNonRoot: true
  runAsUser: {{ . }}
  runAsGroup: {{ . }}
  fsGroup: {{ . }}
  seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "spiffe-demo.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end }}

{{- /* kubelet has no SVID: health is on the admin port. Liveness never depends on certificates. */ -}}
{{- define "spiffe-demo.probes" -}}
startupProbe:
  httpGet: { path: /readyz, port: admin }
  periodSeconds: 1
  failureThreshold: 120
readinessProbe:
  httpGet: { path: /readyz, port: admin }
  periodSeconds: 5
livenessProbe:
  httpGet: { path: /livez, port: admin }
  periodSeconds: 10
{{- end }}

{{- /* Arguments: root, name */ -}}
{{- define "spiffe-demo.serviceAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "spiffe-demo.labels" .root | nindent 4 }}
automountServiceAccountToken: false
{{- end }}
