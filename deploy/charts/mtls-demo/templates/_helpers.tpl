{{- define "mtls-demo.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "mtls-demo.labels" -}}
app.kubernetes.io/part-of: mtls-demo
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- /* The Pod's security: no user but 65532, no privilege, no writable root. fsGroup lets that user read the 0440 files of the volume. */ -}}
{{- define "mtls-demo.podSecurity" -}}
automountServiceAccountToken: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "mtls-demo.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end }}

{{- /* Seconds of a Go duration of hours, minutes and seconds. */ -}}
{{- define "mtls-demo.seconds" -}}
{{- $total := 0 -}}
{{- range regexFindAll "[0-9]+[hms]" . -1 -}}
{{- $n := regexFind "[0-9]+" . | int -}}
{{- if hasSuffix "h" . }}{{ $total = add $total (mul $n 3600) }}{{ else if hasSuffix "m" . }}{{ $total = add $total (mul $n 60) }}{{ else }}{{ $total = add $total $n }}{{ end -}}
{{- end -}}
{{ $total }}
{{- end }}

{{- /* A certificate that cannot rotate in time is refused before it is installed. */ -}}
{{- define "mtls-demo.checkCertificate" -}}
{{- $duration := include "mtls-demo.seconds" .certificate.duration | int -}}
{{- $renewBefore := include "mtls-demo.seconds" .certificate.renewBefore | int -}}
{{- if ge $renewBefore $duration -}}
{{- fail (printf "%s.certificate: renewBefore %s must be below duration %s" .name .certificate.renewBefore .certificate.duration) -}}
{{- end -}}
{{- end }}

{{- /* An inline volume of the cert-manager CSI driver. Arguments: root, name, certificate, dnsNames, uriSans, usages */ -}}
{{- define "mtls-demo.tlsVolume" -}}
{{- include "mtls-demo.checkCertificate" . -}}
- name: tls
  csi:
    driver: csi.cert-manager.io
    readOnly: true
    volumeAttributes:
      csi.cert-manager.io/issuer-name: {{ .root.Values.issuer.caName }}
      csi.cert-manager.io/issuer-kind: Issuer
      csi.cert-manager.io/issuer-group: cert-manager.io
      {{- with .dnsNames }}
      csi.cert-manager.io/dns-names: {{ join "," . | quote }}
      {{- end }}
      {{- with .uriSans }}
      csi.cert-manager.io/uri-sans: {{ . | quote }}
      {{- end }}
      csi.cert-manager.io/duration: {{ .certificate.duration }}
      csi.cert-manager.io/renew-before: {{ .certificate.renewBefore }}
      csi.cert-manager.io/key-algorithm: ECDSA
      csi.cert-manager.io/key-size: "256"
      csi.cert-manager.io/key-encoding: PKCS8
      csi.cert-manager.io/key-usages: {{ .usages | quote }}
      csi.cert-manager.io/fs-group: "65532"
{{- end }}

{{- define "mtls-demo.clientUri" -}}
spiffe://{{ .root.Values.trustDomain }}/ns/{{ .root.Release.Namespace }}/sa/{{ .name }}
{{- end }}

{{- define "mtls-demo.backendUrl" -}}
https://backend-svc.{{ .Release.Namespace }}.svc:{{ .Values.backend.port }}
{{- end }}
