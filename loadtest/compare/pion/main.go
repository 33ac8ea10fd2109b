// A forwarder on Pion: each publisher's tracks go to every subscriber that asked for them, as Pion's own examples do it
// (OnTrack, TrackLocalStaticRTP), with its default interceptors. Signaling is three HTTP requests with SDP as body:
//
//	POST /publish?name=A                the client's offer -> our answer
//	POST /subscribe?name=B&of=A&of=C    nothing            -> our offer of what A and C publish
//	POST /start?name=B                  the client's answer to it -> nothing
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"

	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v3"
)

type forwarder struct {
	api         *webrtc.API
	mutex       sync.Mutex
	tracks      map[string][]*webrtc.TrackLocalStaticRTP // by publisher
	subscribers map[string]*webrtc.PeerConnection
}

func main() {
	address := flag.String("address", "127.0.0.1", "where media and HTTP listen")
	flag.Parse()
	listener, err := net.Listen("tcp", net.JoinHostPort(*address, "0"))
	if err != nil {
		log.Fatal(err)
	}
	f := &forwarder{
		api:         newAPI(*address),
		tracks:      map[string][]*webrtc.TrackLocalStaticRTP{},
		subscribers: map[string]*webrtc.PeerConnection{},
	}
	http.HandleFunc("/publish", answering(f.publish))
	http.HandleFunc("/subscribe", answering(f.subscribe))
	http.HandleFunc("/start", answering(f.start))
	fmt.Printf("listening on %s\n", listener.Addr()) // the parent waits for this line
	log.Fatal(http.Serve(listener, nil))
}

// Codecs and interceptors as Pion has them by default. ICE-lite, as the other servers in the comparison.
func newAPI(address string) *webrtc.API {
	media := &webrtc.MediaEngine{}
	must(media.RegisterDefaultCodecs())
	interceptors := &interceptor.Registry{}
	must(webrtc.RegisterDefaultInterceptors(media, interceptors))
	settings := webrtc.SettingEngine{}
	settings.SetLite(true)
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetIPFilter(func(ip net.IP) bool { return ip.Equal(net.ParseIP(address)) })
	return webrtc.NewAPI(
		webrtc.WithMediaEngine(media), webrtc.WithInterceptorRegistry(interceptors), webrtc.WithSettingEngine(settings))
}

func (f *forwarder) publish(name string, request *http.Request) (string, error) {
	offer, err := io.ReadAll(request.Body)
	if err != nil {
		return "", err
	}
	connection, err := f.api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return "", err
	}
	connection.OnTrack(func(remote *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { f.forward(name, remote) })
	if err = f.announce(name, connection, string(offer)); err != nil {
		return "", err
	}
	answer, err := connection.CreateAnswer(nil)
	if err != nil {
		return "", err
	}
	return described(connection, answer)
}

// announce makes the local tracks before media arrives, so that subscribers need not wait for it.
func (f *forwarder) announce(name string, connection *webrtc.PeerConnection, offer string) error {
	if err := connection.SetRemoteDescription(
		webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		return err
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	for _, transceiver := range connection.GetTransceivers() {
		mime := webrtc.MimeTypeOpus
		if transceiver.Kind() == webrtc.RTPCodecTypeVideo {
			mime = webrtc.MimeTypeVP8
		}
		track, err := webrtc.NewTrackLocalStaticRTP(
			webrtc.RTPCodecCapability{MimeType: mime}, transceiver.Kind().String(), name)
		if err != nil {
			return err
		}
		f.tracks[name] = append(f.tracks[name], track)
	}
	return nil
}

func (f *forwarder) forward(name string, remote *webrtc.TrackRemote) {
	var local *webrtc.TrackLocalStaticRTP
	f.mutex.Lock()
	for _, track := range f.tracks[name] {
		if track.Kind() == remote.Kind() {
			local = track
		}
	}
	f.mutex.Unlock()
	buffer := make([]byte, 1500)
	for {
		length, _, err := remote.Read(buffer)
		if err != nil {
			return
		}
		if _, err = local.Write(buffer[:length]); err != nil {
			return
		}
	}
}

func (f *forwarder) subscribe(name string, request *http.Request) (string, error) {
	connection, err := f.api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return "", err
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.subscribers[name] = connection
	for _, publisher := range request.URL.Query()["of"] {
		for _, track := range f.tracks[publisher] {
			sender, err := connection.AddTrack(track)
			if err != nil {
				return "", err
			}
			go readReports(sender)
		}
	}
	offer, err := connection.CreateOffer(nil)
	if err != nil {
		return "", err
	}
	return described(connection, offer)
}

// readReports keeps the interceptors fed: they see RTCP only while somebody reads it.
func readReports(sender *webrtc.RTPSender) {
	buffer := make([]byte, 1500)
	for {
		if _, _, err := sender.Read(buffer); err != nil {
			return
		}
	}
}

func (f *forwarder) start(name string, request *http.Request) (string, error) {
	answer, err := io.ReadAll(request.Body)
	if err != nil {
		return "", err
	}
	f.mutex.Lock()
	connection := f.subscribers[name]
	f.mutex.Unlock()
	if connection == nil {
		return "", fmt.Errorf("no subscriber %q", name)
	}
	return "", connection.SetRemoteDescription(
		webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: string(answer)})
}

// described waits for the candidates, so that nothing needs to trickle.
func described(connection *webrtc.PeerConnection, description webrtc.SessionDescription) (string, error) {
	gathered := webrtc.GatheringCompletePromise(connection)
	if err := connection.SetLocalDescription(description); err != nil {
		return "", err
	}
	<-gathered
	return connection.LocalDescription().SDP, nil
}

func answering(serve func(string, *http.Request) (string, error)) http.HandlerFunc {
	return func(response http.ResponseWriter, request *http.Request) {
		body, err := serve(request.URL.Query().Get("name"), request)
		if err != nil {
			http.Error(response, err.Error(), http.StatusBadRequest)
			return
		}
		io.WriteString(response, body)
	}
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
